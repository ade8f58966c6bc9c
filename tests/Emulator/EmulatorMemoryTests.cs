using System.Globalization;
using NUnit.Framework;
using Spk.Interop.Cuda;

namespace Spk.Tests.Emulator;

[NonParallelizable]
public unsafe class EmulatorMemoryTests
{
    private const int InvalidValue = 1, OutOfMemory = 2;

    [Test]
    public void New_memory_reads_as_NaN()
    {
        using var cuda = new EmulatedDevice();

        Assert.That(cuda.Download(cuda.Allocate(10), 10), Is.All.NaN);
    }

    [Test]
    public void Copies_of_rows_and_fills_work()
    {
        using var cuda = new EmulatedDevice();
        nint x = cuda.Upload(1, 2, 3, 4, 5, 6), y = cuda.Allocate(8);

        cuda.Driver.Fill(y, 0, 32, cuda.Stream);
        cuda.Driver.CopyRows(y, 16, x, 12, 12, 2, false, false, cuda.Stream);

        Assert.That(cuda.Download(y, 8), Is.EqualTo(new float[] { 1, 2, 3, 0, 4, 5, 6, 0 }));
    }

    [Test]
    public void A_copy_past_the_end_is_refused()
    {
        using var cuda = new EmulatedDevice();
        nint x = cuda.Allocate(10), y = cuda.Allocate(11);

        var e = Assert.Throws<CudaException>(() => cuda.Driver.CopyOnDevice(y, x, 44, cuda.Stream))!;

        Assert.That(e.Code, Is.EqualTo(InvalidValue));
        Assert.That(e.Message, Does.Contain("not inside one allocation"));
    }

    [Test]
    public void The_device_runs_out_of_memory_at_its_limit()
    {
        using var cuda = new EmulatedDevice();
        var (_, total) = cuda.Driver.MemoryInfo();
        Assert.That(total, Is.EqualTo(4096L << 20));

        var e = Assert.Throws<CudaException>(() => cuda.Driver.MemoryAllocate(total + 1))!;

        Assert.That(e.Code, Is.EqualTo(OutOfMemory));
    }

    [Test]
    public void Strict_memory_is_out_of_reach_for_host_code_only()
    {
        using var cuda = new EmulatedDevice();
        cuda.Set("strict_memory", 1);
        nint x = cuda.Upload(1, 2, 3), sum = cuda.Allocate(3);

        cuda.Add(x, x, sum, 3);

        Assert.That(cuda.Download(sum, 3), Is.EqualTo(new float[] { 2, 4, 6 }));
        Assert.That(Protection(x), Is.EqualTo("---p"));
    }

    // What /proc/self/maps says about the page of an address: reading the memory itself would end the process.
    private static string Protection(nint address)
    {
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            string[] words = line.Split(' ');
            string[] range = words[0].Split('-');
            ulong from = ulong.Parse(range[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            ulong to = ulong.Parse(range[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if ((ulong)address >= from && (ulong)address < to)
            {
                return words[1];
            }
        }

        return "not mapped";
    }
}
