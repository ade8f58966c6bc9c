namespace Spk.Interop.Cuda;

/// <summary>How many blocks a launch has, and how many threads and how much dynamic shared memory each.</summary>
/// <param name="GridX">Blocks along x, 1 or more.</param>
/// <param name="BlockX">Threads of a block along x; at most 1024 in all.</param>
/// <param name="GridY">Blocks along y, 1 to 65,535.</param>
/// <param name="GridZ">Blocks along z, 1 to 65,535.</param>
/// <param name="BlockY">Threads along y.</param>
/// <param name="SharedBytes">Dynamic shared memory of a block.</param>
public readonly record struct LaunchShape(int GridX, int BlockX, int GridY = 1, int GridZ = 1, int BlockY = 1, int SharedBytes = 0);
