using NUnit.Framework;
using Spk.Engine.Devices.Cuda;

namespace Spk.Tests.Cuda;

/// <summary>Every kernel file passes every compiler for every architecture, and its kernels stay within their budgets.</summary>
public class KernelCompilationTests
{
    private const string Stack = """
        extern "C" __global__ void indexed(const int* which, float* out) {
          float values[64];
          for (int i = 0; i < 64; i++) values[i] = i;
          for (int i = 0; i < 100; i++) values[which[i] & 63] += out[i];
          for (int i = 0; i < 64; i++) out[i] = values[i];
        }
        """;

    private const string Spill = """
        extern "C" __global__ void __launch_bounds__(1024, 2) crowded(float* out) {
          float values[80];
        #pragma unroll
          for (int i = 0; i < 80; i++) values[i] = out[i * 1024 + threadIdx.x];
          __syncthreads();
        #pragma unroll
          for (int i = 0; i < 80; i++) out[threadIdx.x * 80 + i] = values[i] * values[79 - i];
        }
        """;

    private const string Modest = """
        extern "C" __global__ void modest(float* out) {
          __shared__ float scratch[256];
          scratch[threadIdx.x] = out[threadIdx.x];
          __syncthreads();
          out[threadIdx.x] = scratch[255 - threadIdx.x];
        }
        extern "C" __global__ void second(float* out) { out[0] = 1; }
        """;

    public static IEnumerable<TestCaseData> Files()
    {
        string[] files = [.. KernelSources.Files];
        if (files.Length == 0)
        {
            yield return new TestCaseData("").SetArgDisplayNames("none").Ignore("skipped: there are no kernels");
        }

        foreach (string file in files)
        {
            yield return new TestCaseData(file).SetArgDisplayNames(file);
        }
    }

    [TestCaseSource(nameof(Files))]
    public void Oldest_compiler_for_Ampere_and_Hopper(string file)
    {
        Check(Compilers.Oldest(), file, "sm_80", "sm_90");
    }

    [TestCaseSource(nameof(Files))]
    public void Recent_compiler_for_Ampere_and_Hopper(string file)
    {
        var compiler = Compilers.Recent();
        string own = compiler.Target(KernelSources.Get(file), (9, 0));
        Check(compiler, file, ["sm_80", "sm_90", .. own == "sm_90a" ? [own] : Array.Empty<string>()]);
    }

    [Test]
    public void A_stack_frame_is_seen() => Assert.That(Resources(Stack).Single() is { Kernel: "indexed", StackBytes: >= 256 });

    [Test]
    public void Spills_are_seen() => Assert.That(Resources(Spill).Single() is { Kernel: "crowded", SpillBytes: > 0 });

    [Test]
    public void Registers_and_shared_memory_are_seen()
    {
        var kernels = Resources(Modest);
        Assert.That(kernels.Select(kernel => kernel.Kernel), Is.EquivalentTo(["modest", "second"]));
        Assert.That(kernels.Single(kernel => kernel.Kernel == "modest") is { Registers: > 2, StackBytes: 0, SpillBytes: 0, SharedBytes: 1024 });
        Assert.That(kernels.Single(kernel => kernel.Kernel == "second") is { Registers: > 0, SharedBytes: 0 });
    }

    [Test]
    public void A_Hopper_variant_gets_its_own_architecture()
    {
        var source = KernelSources.WithHeaders("hopper.cu", """
            extern "C" __global__ void both(float* out) {
            #ifdef HAS_SM90A
              asm volatile("wgmma.fence.sync.aligned;");
            #endif
              out[0] = 1;
            }
            """);
        Assert.That(Compilers.Oldest().Target(source, (9, 0)), Is.EqualTo("sm_90"));
        Assert.That(Compilers.Oldest().Compile(source, "sm_90").Image.Length, Is.Positive);
        var recent = Compilers.Recent();
        Assert.That(recent.Target(source, (9, 0)), Is.EqualTo("sm_90a"));
        Assert.That(recent.Target(source, (8, 0)), Is.EqualTo("sm_80"));
        Assert.That(recent.Compile(source, "sm_90a").Image.Length, Is.Positive);
    }

    [Test]
    public void A_device_newer_than_the_compiler_gets_ptx()
    {
        var compiler = Compilers.Oldest();
        var source = KernelSources.WithHeaders("modest.cu", Modest);
        Assert.That(compiler.Target(source, (10, 0)), Is.EqualTo("compute_90"));
        byte[] ptx = compiler.Compile(source, "compute_90").Image.ToArray();
        Assert.That(ptx[^1], Is.Zero, "the driver reads PTX up to a zero byte");
        Assert.That(System.Text.Encoding.UTF8.GetString(ptx), Does.Contain(".target sm_90").And.Contain("modest"));
    }

    [Test]
    public void Budgets_name_kernels_that_exist()
    {
        string all = string.Concat(KernelSources.Files.Select(file => KernelSources.Get(file).Text));
        Assert.That(KernelBudgets.Named, Is.All.Matches<string>(name => all.Contains(name!, StringComparison.Ordinal)));
    }

    private static IReadOnlyList<KernelResources> Resources(string text)
    {
        var source = KernelSources.WithHeaders("sample.cu", text);
        return KernelResources.Parse(Compilers.Any().Compile(source, "sm_80").Log);
    }

    private static void Check(KernelCompiler compiler, string file, params string[] targets)
    {
        var results = new (ReadOnlyMemory<byte> Image, string Log)[targets.Length];
        Parallel.For(0, targets.Length, i => results[i] = compiler.Compile(KernelSources.Get(file), targets[i]));
        Assert.Multiple(() =>
        {
            for (int i = 0; i < targets.Length; i++)
            {
                Assert.That(results[i].Image.Length, Is.Positive);
                Assert.That(results[i].Log, Does.Not.Contain("warning").IgnoreCase);
                Assert.That(results[i].Log, Does.Not.Contain("Performance Loss"), "products of warpgroups that wait for each other");
                Assert.That(results[i].Log, Does.Not.Contain("setmaxnreg"), "registers that stay where they are");
                var kernels = KernelResources.Parse(results[i].Log);
                Assert.That(kernels, Is.Not.Empty, results[i].Log);
                foreach (var kernel in kernels)
                {
                    Check(kernel, $"{kernel} for {targets[i]} by NVRTC {compiler.Nvrtc.Version}");
                }
            }
        });
    }

    private static void Check(KernelResources kernel, string where)
    {
        TestContext.Out.WriteLine(where);
        Assert.That(kernel.StackBytes, Is.Zero, where);
        Assert.That(kernel.SpillBytes, Is.Zero, where);
        Assert.That(kernel.Registers, Is.InRange(1, KernelBudgets.Registers(kernel.Kernel)), where);
        Assert.That(kernel.SharedBytes, Is.LessThanOrEqualTo(KernelBudgets.SharedBytes), where);
    }
}
