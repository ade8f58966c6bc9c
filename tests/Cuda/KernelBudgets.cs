namespace Spk.Tests.Cuda;

/// <summary>
/// Most registers a kernel may need, so that a change that costs occupancy is a visible decision. No kernel may spill or have a stack.
/// </summary>
internal static class KernelBudgets
{
    /// <summary>Two blocks of 256 threads on a multiprocessor with its 65,536 registers.</summary>
    private const int Default = 128;

    /// <summary>Static shared memory that every device gives without asking.</summary>
    public const int SharedBytes = 48 * 1024;

    // Kernels that earn more, by their names or what these begin with, and why.
    private static readonly Dictionary<string, int> More = new()
    {
        // Sums 4 rows of 16 columns of the width a thread; half of them at a time would make every cosine twice.
        ["similarity_softmax_gradient_512"] = 152,

        // 128 sums of the gradient, 32 cosines and the weights they become: 232 of the threads that multiply, by registers that those that copy leave
        // them. The own rows and tiles of others take the shared memory.
        ["similarity_softmax_gradient_wgmma"] = 168,

        // 128 sums a thread; its tiles take the shared memory of a multiprocessor, so one block has all registers.
        ["mat_mul_wgmma_256"] = 200,
    };

    public static int Registers(string kernel) =>
        More.Where(more => kernel.StartsWith(more.Key, StringComparison.Ordinal)).Select(more => more.Value).DefaultIfEmpty(Default).Max();

    public static IEnumerable<string> Named => More.Keys;
}
