using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Cluster;

/// <summary>
/// Problems of a batch in a GPU's memory, for kernels with engine/kernels/common/problems.cuh: the rows of one follow those of another, and every launch is
/// for all that are at work.
/// </summary>
internal sealed class CudaProblems
{
    private readonly CudaDevice? _cuda;
    private readonly Tensor? _starts, _list;
    private readonly int[] _hostStarts;

    /// <summary>One problem, with all the rows there are.</summary>
    /// <param name="rows">How many.</param>
    public CudaProblems(int rows) => (_hostStarts, Count, AtWork, Rows, MostRows) = ([0, rows], 1, [0], rows, rows);

    /// <summary>Several, all of them at work; what it takes is rented from the workspace.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="rows">Of each problem, how many.</param>
    public CudaProblems(CudaDevice cuda, ReadOnlySpan<int> rows)
    {
        int[] starts = new int[rows.Length + 1];
        for (int p = 0; p < rows.Length; p++)
        {
            starts[p + 1] = checked(starts[p] + rows[p]);
            MostRows = Math.Max(MostRows, rows[p]);
        }

        (_cuda, _hostStarts, Count, AtWork, Rows) = (cuda, starts, rows.Length, [.. Enumerable.Range(0, rows.Length)], starts[^1]);
        _starts = cuda.RentCopy<int>(starts);
        _list = cuda.Workspace.Rent(new Shape(rows.Length), ElementType.Int32);
    }

    /// <summary>Problems, at work or not.</summary>
    public int Count { get; }

    /// <summary>Numbers of those at work.</summary>
    public int[] AtWork { get; private set; }

    /// <summary>How many these are: the third extent of grids.</summary>
    public int Active => AtWork.Length;

    /// <summary>Rows of all problems.</summary>
    public int Rows { get; }

    /// <summary>Rows of the largest problem.</summary>
    public int MostRows { get; }

    /// <summary>What kernels are told.</summary>
    public ProblemsView View => new() { Starts = _starts?.Address ?? 0, Active = Active < Count ? _list?.Address ?? 0 : 0, MostRows = MostRows };

    /// <summary>A problem's part of a tensor with a row, or an element, for each row of all problems.</summary>
    public Tensor Of(int problem, Tensor all) => all.Slice(_hostStarts[problem], _hostStarts[problem + 1] - _hostStarts[problem]);

    /// <summary>A problem's part of as many values.</summary>
    public ReadOnlySpan<T> Of<T>(int problem, ReadOnlySpan<T> all) => all[_hostStarts[problem].._hostStarts[problem + 1]];

    /// <summary>Lets only some work from now on.</summary>
    /// <param name="problems">Their numbers.</param>
    public unsafe void Activate(int[] problems)
    {
        AtWork = problems;
        if (Active > 0 && Active < Count)
        {
            fixed (int* host = problems)
            {
                _cuda!.Upload(_list!.Address, host, (long)Active * sizeof(int));
            }
        }
    }

    /// <summary>A launch for those at work, with the first extent of the grid as given.</summary>
    public LaunchShape Shape(int blocks, int threads, int gridY = 1, int sharedBytes = 0) => new(blocks, threads, gridY, Active, SharedBytes: sharedBytes);
}
