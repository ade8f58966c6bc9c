namespace Spk.Tests.Support;

/// <summary>An environment variable with another value for the time of a test.</summary>
internal sealed class EnvironmentValue : IDisposable
{
    private readonly string _name;
    private readonly string? _before;

    public EnvironmentValue(string name, string? value)
    {
        _name = name;
        _before = Environment.GetEnvironmentVariable(name);
        Environment.SetEnvironmentVariable(name, value);
    }

    public void Dispose() => Environment.SetEnvironmentVariable(_name, _before);
}
