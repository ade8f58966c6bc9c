namespace Spk.Bench.Peers;

/// <summary>One timed call.</summary>
/// <param name="Name">The peers' name of the case.</param>
/// <param name="Parameters">Sizes, for the reader.</param>
/// <param name="Unit">Unit of work per second.</param>
/// <param name="Work">Work of one call, in the unit.</param>
/// <param name="Run">The call.</param>
/// <param name="Bytes">Bytes of memory that must be moved at least; 0 where nobody counted.</param>
/// <param name="Operations">Floating-point operations; 0 where nobody counted.</param>
internal sealed record PeerCase(string Name, string Parameters, string Unit, double Work, Action Run, double Bytes = 0, double Operations = 0);

/// <summary>Cases on the same tensors.</summary>
/// <param name="Cases">The cases.</param>
/// <param name="HasProducts">Whether the device's precision changes what is computed.</param>
internal sealed record PeerCaseSet(IReadOnlyList<PeerCase> Cases, bool HasProducts = true);
