using NUnit.Framework;
using Spk.Engine.Devices.Cuda;
using Spk.Interop.Cuda;
using Spk.Tests.Support;

namespace Spk.Tests.Cuda;

/// <summary>The binding: outputs, headers from memory, messages.</summary>
public class NvrtcTests
{
    private static readonly string[] Ampere = ["--gpu-architecture=sm_80", "-std=c++17"];
    private static readonly Dictionary<string, string> NoHeaders = [];

    [Test]
    public void A_real_architecture_gives_binary_and_ptx_and_a_virtual_one_only_ptx()
    {
        var nvrtc = Compilers.Any().Nvrtc;
        const string Source = "extern \"C\" __global__ void one(int* out) { out[0] = 1; }";
        var real = nvrtc.Compile(Source, "one.cu", Ampere, NoHeaders);
        Assert.That(real.Cubin.Span[..4].ToArray(), Is.EqualTo("\u007fELF"u8.ToArray()));
        Assert.That(real.Ptx.Length, Is.Positive);
        var portable = nvrtc.Compile(Source, "one.cu", ["--gpu-architecture=compute_80"], NoHeaders);
        Assert.That(portable.Cubin.Length, Is.Zero);
        Assert.That(portable.Ptx.Span[^1], Is.Zero);
    }

    [Test]
    public void Headers_come_from_memory_and_warnings_are_kept()
    {
        var headers = new Dictionary<string, string> { ["common/answer.cuh"] = "constexpr int ANSWER = 42;" };
        var output = Compilers.Any().Nvrtc.Compile(
            "#include \"common/answer.cuh\"\nextern \"C\" __global__ void answer(int* out) { int unused; out[0] = ANSWER; }", "answer.cu", Ampere, headers);
        Assert.That(output.Log, Does.Contain("unused"));
        Assert.That(System.Text.Encoding.UTF8.GetString(output.Ptx.Span), Does.Contain("42"));
    }

    [Test]
    public void An_error_carries_the_log()
    {
        var error = Assert.Throws<CudaException>(() => Compilers.Any().Nvrtc.Compile("__global__ void bad() { nonsense(); }", "stage/bad.cu", Ampere, NoHeaders));
        Assert.That(error!.Library, Is.EqualTo("NVRTC"));
        Assert.That(error.Code, Is.EqualTo(6));
        Assert.That(error.Name, Is.EqualTo("NVRTC_ERROR_COMPILATION"));
        Assert.That(error.Message, Does.Contain("stage/bad.cu(1)").And.Contain("nonsense"));
    }

    [Test]
    public void A_bad_option_is_named()
    {
        var error = Assert.Throws<CudaException>(() => Compilers.Any().Nvrtc.Compile("", "empty.cu", ["--nonsense"], NoHeaders));
        Assert.That(error!.Code, Is.EqualTo(5));
        Assert.That(error.Message, Does.Contain("--nonsense"));
    }

    [Test]
    public void A_library_newer_than_the_driver_is_not_used()
    {
        var nvrtc = Compilers.Any().Nvrtc;
        using var chosen = new EnvironmentValue(Nvrtc.OverrideVariable, nvrtc.Path);
        var trace = new List<string>();
        Assert.That(Nvrtc.Find(nvrtc.Version.Major - 1, trace), Is.Null);
        Assert.That(trace.Single(), Does.Contain($"NVRTC {nvrtc.Version} is too new, CUDA {nvrtc.Version.Major - 1} is wanted at most"));
        Assert.That(Nvrtc.Find(nvrtc.Version.Major, [])!.Version, Is.EqualTo(nvrtc.Version));
    }

    [Test]
    public void What_is_not_there_is_said()
    {
        using var chosen = new EnvironmentValue(Nvrtc.OverrideVariable, "/nowhere/libnvrtc.so.12");
        var trace = new List<string>();
        Assert.That(Nvrtc.Find(99, trace), Is.Null);
        Assert.That(trace, Is.EqualTo(["/nowhere/libnvrtc.so.12: not found"]));
    }

    [Test]
    public void Separate_programs_compile_in_parallel()
    {
        var nvrtc = Compilers.Any().Nvrtc;
        byte[][] cubins = new byte[8][];
        Parallel.For(0, cubins.Length, i => cubins[i] = nvrtc.Compile(
            $"extern \"C\" __global__ void k(int* out) {{ out[0] = {i / 2}; }}", "k.cu", Ampere, NoHeaders).Cubin.ToArray());
        for (int i = 0; i < cubins.Length; i += 2)
        {
            Assert.That(cubins[i], Is.EqualTo(cubins[i + 1]), "the same source gives the same bytes");
        }
    }

    [Test]
    public void Sources_bring_every_header_they_include()
    {
        var source = KernelSources.WithHeaders("x.cu", "#include \"common/reduce.cuh\"\n");
        Assert.That(source.Headers.Keys, Is.EqualTo(["common/prelude.cuh", "common/reduce.cuh"]));
    }
}
