using Spk.Engine.Clustering;

namespace ClusterConsole;

/// <summary>Tells on the caller's thread, in order; <see cref="Progress{T}"/> would use the thread pool.</summary>
internal sealed class Progress(Action<KMeansSweepPoint> report) : IProgress<KMeansSweepPoint>
{
    public void Report(KMeansSweepPoint value) => report(value);
}
