using Spk.Engine.Devices.Cuda;
using Spk.Interop;
using Spk.Interop.Cuda;

// Compiles every kernel file for every architecture that packages carry: tools/pack.sh runs it.
if (args is not [var folder])
{
    Console.Error.WriteLine("usage: Spk.KernelPack FOLDER   writes the kernels' binaries there, in place of what it holds");
    return 2;
}

// What NVRTC 11.8 writes, every driver since loads: a newer one would leave older drivers without binaries.
const int NewestMajor = 11;

var trace = new List<string>();
if (Nvrtc.Find(NewestMajor, trace) is not { } nvrtc)
{
    Console.Error.WriteLine($"error: kernels are compiled by NVRTC 11.8, which was not found: {string.Join("; ", trace)}. "
        + $"Install it (Debian: libnvrtc11.2) or name its file in {Nvrtc.OverrideVariable}.");
    return 1;
}

if (Directory.Exists(folder))
{
    Directory.Delete(folder, recursive: true);
}

string[] targets = [.. ShippedKernels.RealArchitectures, .. ShippedKernels.VirtualArchitectures];
var oldest = new KernelCompiler(nvrtc);
var work = (from file in KernelSources.Files from target in targets select (compiler: oldest, file, target)).ToList();

// Variants with Hopper's own instructions need a newer compiler; without one those devices run the common variant.
var recent = Nvrtc.Find(int.MaxValue, []) is { } newest ? new KernelCompiler(newest) : oldest;
foreach (string file in KernelSources.Files.Where(KernelCompiler.HasHopperVariant))
{
    if (recent.Target(KernelSources.Get(file), (9, 0)) is "sm_90a" and var target)
    {
        work.Add((recent, file, target));
    }
    else
    {
        Console.Error.WriteLine($"note: {file} goes without its sm_90a variant, which needs NVRTC 12 or later");
    }
}

long bytes = 0;
try
{
    Parallel.ForEach(work, item =>
    {
        var image = item.compiler.Compile(KernelSources.Get(item.file), item.target).Image;
        string path = Path.Combine(folder, ShippedKernels.PathOf(item.file, item.target));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, image.ToArray());
        Interlocked.Add(ref bytes, image.Length);
    });
}
catch (AggregateException e) when (e.InnerException is SpkException reason)
{
    Console.Error.WriteLine($"error: {reason.Message}");
    return 1;
}

// Written last: without the list nothing in the folder is used.
Directory.CreateDirectory(folder);
File.WriteAllLines(Path.Combine(folder, ShippedKernels.ListName), KernelSources.Files.Select(file => ShippedKernels.ListLine(KernelSources.Get(file))));
Console.WriteLine($"{KernelSources.Files.Count} kernel files, {work.Count} binaries for {string.Join(", ", targets)}: {bytes >> 10} KiB in {folder}");
return 0;
