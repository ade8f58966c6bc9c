using NUnit.Framework;
using Spk.Engine.Devices.Cuda;
using Spk.Tests.Support;

namespace Spk.Tests.Cuda;

/// <summary>Binaries kept on the disk: what names them, what is believed, what happens to damage.</summary>
public class KernelCacheTests
{
    private static readonly KernelSource Source = KernelSources.WithHeaders(
        "test/answer.cu", "#include \"common/prelude.cuh\"\nKERNEL answer(int* out) { out[0] = divide_up(84, 2); }\n");

    [Test]
    public void A_binary_is_read_back()
    {
        using var folder = new TemporaryFolder();
        var cache = new KernelCache(folder.At("a", "b"));
        Assert.That(cache.TryRead("key"), Is.Null);
        Assert.That(cache.TryWrite("key", new byte[] { 1, 2, 3 }));
        Assert.That(cache.TryRead("key")!.Value.ToArray(), Is.EqualTo([1, 2, 3]));
        Assert.That(cache.Usage(), Is.EqualTo((1, 43L)));
    }

    [Test]
    public void Damage_is_a_miss([Values("cut", "flipped", "empty", "longer")] string damage)
    {
        using var folder = new TemporaryFolder();
        var cache = new KernelCache(folder.Root);
        cache.TryWrite("key", new byte[1000]);
        byte[] file = File.ReadAllBytes(cache.PathOf("key"));
        byte[] damaged = damage switch
        {
            "cut" => file[..^1],
            "empty" => [],
            "longer" => [.. file, 0],
            _ => [.. file[..500], (byte)(file[500] ^ 1), .. file[501..]],
        };
        File.WriteAllBytes(cache.PathOf("key"), damaged);
        Assert.That(cache.TryRead("key"), Is.Null);
    }

    [Test]
    public void The_key_depends_on_everything_that_the_binary_does()
    {
        var options = KernelCompiler.Options("sm_90");
        var compiler = new Version(11, 8);
        var headers = new Dictionary<string, string>(Source.Headers) { ["common/prelude.cuh"] = Source.Headers["common/prelude.cuh"] + " " };
        string[] keys =
        [
            KernelCache.Key(Source, options, compiler),
            KernelCache.Key(Source with { Text = Source.Text + " " }, options, compiler),
            KernelCache.Key(Source with { Headers = headers }, options, compiler),
            KernelCache.Key(Source, KernelCompiler.Options("sm_80"), compiler),
            KernelCache.Key(Source, [.. options, "-lineinfo"], compiler),
            KernelCache.Key(Source, [.. options.Reverse()], compiler),
            KernelCache.Key(Source, options, new Version(12, 4)),
        ];
        Assert.That(keys, Is.Unique);
        Assert.That(KernelCache.Key(Source, options, compiler), Is.EqualTo(keys[0]).And.Length.EqualTo(64));
    }

    [Test]
    public void A_binary_is_compiled_once_and_again_when_its_file_is_damaged()
    {
        var compiler = Compilers.Any();
        using var folder = new TemporaryFolder();
        var cache = new KernelCache(folder.Root);
        var images = new KernelImages((8, 0), compiler, cache);

        var (origin, compiled) = images.Candidates(Source, []).First();
        Assert.That(origin, Is.EqualTo($"sm_80 by NVRTC {compiler.Nvrtc.Version}"));
        var (second, kept) = images.Candidates(Source, []).First();
        Assert.That(second, Is.EqualTo("cached sm_80"));
        Assert.That(kept.ToArray(), Is.EqualTo(compiled.ToArray()));

        string file = Directory.GetFiles(folder.Root).Single();
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..^7]);
        Assert.That(images.Candidates(Source, []).First().Origin, Is.EqualTo(origin));
        Assert.That(images.Candidates(Source, []).First().Origin, Is.EqualTo("cached sm_80"), "the damaged file was replaced");
    }

    [Test]
    public void A_refused_binary_from_the_cache_is_compiled_anew()
    {
        var compiler = Compilers.Any();
        using var folder = new TemporaryFolder();
        var images = new KernelImages((8, 0), compiler, new KernelCache(folder.Root));
        _ = images.Candidates(Source, []).First();
        Assert.That(images.Candidates(Source, []).Select(candidate => candidate.Origin), Is.EqualTo(["cached sm_80", $"sm_80 by NVRTC {compiler.Nvrtc.Version}"]));
    }

    [Test]
    public void Many_writers_and_readers_never_see_half_a_file()
    {
        using var folder = new TemporaryFolder();
        byte[] image = new byte[200_000];
        new Random(1).NextBytes(image);
        int read = 0;
        Parallel.For(0, 40, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            // Instances share nothing but the folder, as processes do.
            var cache = new KernelCache(folder.Root);
            if (i % 2 == 0)
            {
                Assert.That(cache.TryWrite("key", image));
            }
            else if (cache.TryRead("key") is { } found)
            {
                Interlocked.Increment(ref read);
                Assert.That(found.Span.SequenceEqual(image));
            }
        });
        Assert.That(new KernelCache(folder.Root).TryRead("key")!.Value.Span.SequenceEqual(image));
        Assert.That(Directory.GetFiles(folder.Root), Has.Length.EqualTo(1), "no temporary file is left");
    }

    [Test]
    public void A_folder_that_cannot_be_written_costs_only_time()
    {
        var compiler = Compilers.Any();
        using var folder = new TemporaryFolder();
        string file = folder.Text("a-file", "");
        var trace = new List<string>();
        var images = new KernelImages((8, 0), compiler, new KernelCache(Path.Combine(file, "kernels")));
        Assert.That(images.Candidates(Source, trace).First().Image.Length, Is.Positive);
        Assert.That(trace, Has.Some.Contain("cannot be written"));
    }

    [Test]
    public void Without_compiler_and_binaries_the_trace_says_so()
    {
        using var folder = new TemporaryFolder();
        var trace = new List<string>();
        var images = new KernelImages((8, 0), null, new KernelCache(folder.Root));
        Assert.That(images.Candidates(Source, trace), Is.Empty);
        Assert.That(string.Join("; ", trace), Does.Contain("carries no binar").And.Contain("NVRTC was not found"));
    }

    [Test]
    public void A_kernel_that_does_not_compile_is_named_with_the_log()
    {
        var trace = new List<string>();
        using var folder = new TemporaryFolder();
        var images = new KernelImages((8, 0), Compilers.Any(), new KernelCache(folder.Root));
        Assert.That(images.Candidates(KernelSources.WithHeaders("test/bad.cu", "__global__ void bad() { nonsense(); }"), trace), Is.Empty);
        Assert.That(string.Join("; ", trace), Does.Contain("test/bad.cu").And.Contain("nonsense"));
    }

    [Test]
    public void The_override_names_the_folder()
    {
        using var folder = new TemporaryFolder();
        using var chosen = new EnvironmentValue(KernelCache.OverrideVariable, folder.Root);
        Assert.That(KernelCache.Default().Folder, Is.EqualTo(folder.At("kernels")));
    }

    [Test]
    public void The_folder_follows_the_system()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("skipped: the folder of Unix systems");
        }

        using var none = new EnvironmentValue(KernelCache.OverrideVariable, null);
        using var cache = new EnvironmentValue("XDG_CACHE_HOME", "/somewhere/cache");
        Assert.That(KernelCache.Default().Folder, Is.EqualTo("/somewhere/cache/spk/kernels"));
        using var relative = new EnvironmentValue("XDG_CACHE_HOME", "not/rooted");
        Assert.That(KernelCache.Default().Folder, Does.EndWith(Path.Combine("spk", "kernels")).And.Not.Contain("not/rooted"));
    }
}
