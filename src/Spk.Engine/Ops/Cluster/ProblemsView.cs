namespace Spk.Engine.Ops.Cluster;

/// <summary>Field by field the Problems of engine/kernels/common/problems.cuh.</summary>
internal struct ProblemsView
{
    /// <summary>Of each problem the first row, then the number of all rows; 0 where there is one problem.</summary>
    public nint Starts;

    /// <summary>Numbers of the problems at work; 0 for all.</summary>
    public nint Active;

    /// <summary>Rows of the largest problem.</summary>
    public int MostRows;
}
