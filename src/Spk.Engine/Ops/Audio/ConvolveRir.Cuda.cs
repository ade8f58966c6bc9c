using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Audio;

public static partial class ConvolveRir
{
    private const string CudaSource = "audio/convolve_rir";
    private const int CudaPart = 1024, CudaBins = CudaPart + 1, CudaThreads = 256;

    // The spectra of so many bytes of waveforms are held at a time.
    private const long CudaSpectraBytes = 64 << 20;

    private static readonly KernelId SpectraKernel = new(CudaSource, "convolve_rir_spectra");
    private static readonly KernelId ApplyKernel = new(CudaSource, "convolve_rir_apply");

    private static void CudaApply(CudaDevice cuda, Tensor waves, CudaRooms rooms, ReadOnlySpan<int> response)
    {
        int samples = waves.Shape[1], parts = Parts(samples);
        int rowsAtOnce = (int)Math.Clamp(CudaSpectraBytes / ((long)parts * CudaBins * 2 * sizeof(float)), 1, 32768);
        Span<int> selected = stackalloc int[256], of = stackalloc int[256];
        rowsAtOnce = Math.Min(rowsAtOnce, selected.Length);
        var spectra = cuda.Workspace.Rent(new Shape(Math.Min(rowsAtOnce, response.Length), parts * CudaBins * 2));
        int count = 0;
        for (int row = 0; row < response.Length; row++)
        {
            if (response[row] >= 0)
            {
                (selected[count], of[count]) = (row, response[row]);
                count++;
            }

            if (count == rowsAtOnce || (count > 0 && row == response.Length - 1))
            {
                CudaApply(cuda, waves, rooms, selected[..count], of[..count], spectra);
                count = 0;
            }
        }
    }

    private static void CudaApply(CudaDevice cuda, Tensor waves, CudaRooms rooms, ReadOnlySpan<int> rows, ReadOnlySpan<int> roomOfRow, Tensor spectra)
    {
        int samples = waves.Shape[1];
        var selected = cuda.RentCopy(rows);
        var room = cuda.RentCopy(roomOfRow);
        var shape = new LaunchShape(Parts(samples), CudaThreads, rows.Length);
        cuda.Launch(
            SpectraKernel, shape, waves.Address, waves.RowStride, selected.Address, samples, CudaPart, 2 * CudaPart, rooms.Twiddles.Address,
            spectra.Address);
        cuda.Launch(
            ApplyKernel, shape, waves.Address, waves.RowStride, selected.Address, samples, spectra.Address, room.Address, rooms.Spectra.Address,
            rooms.PartCounts.Address, rooms.Longest, rooms.Twiddles.Address);
    }

    private static int Parts(int samples) => (samples + CudaPart - 1) / CudaPart;

    /// <summary>The transforms of all parts of the responses.</summary>
    private sealed class CudaRooms : Rooms
    {
        public CudaRooms(CudaDevice device, IReadOnlyList<float[]> responses)
        {
            int[] partCounts = [.. responses.Select(r => Parts(r.Length))];
            Longest = partCounts.Append(1).Max();
            PartCounts = device.Persist<int>(partCounts);
            var twiddles = new float[4 * CudaPart];
            for (int k = 0; k < 2 * CudaPart; k++)
            {
                var (sin, cos) = Math.SinCos(-Math.PI * k / CudaPart);
                (twiddles[2 * k], twiddles[(2 * k) + 1]) = ((float)cos, (float)sin);
            }

            Twiddles = device.Persist<float>(twiddles);
            Spectra = device.AllocatePersistent(new Shape(responses.Count, Longest * CudaBins * 2));
            for (int r = 0; r < responses.Count; r++)
            {
                var before = device.Workspace.Position;
                var response = device.Workspace.Rent(new Shape(responses[r].Length));
                response.CopyFrom(responses[r]);
                device.Launch(
                    SpectraKernel, new LaunchShape(partCounts[r], CudaThreads), response.Address, 0, (nint)0, responses[r].Length, 0, CudaPart,
                    Twiddles.Address, Spectra.Address + ((nint)r * Longest * CudaBins * 2 * sizeof(float)));
                device.Workspace.Advance(before);
            }
        }

        /// <summary>f32 [Count, Longest, 1025, 2]; parts that a response does not have stay zeros.</summary>
        public Tensor Spectra { get; }

        /// <summary>i32 [Count].</summary>
        public Tensor PartCounts { get; }

        /// <summary>f32 [2048, 2].</summary>
        public Tensor Twiddles { get; }

        public int Longest { get; }
    }
}
