using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Audio;

/// <summary>
/// Brings the 16-bit samples of crops to a GPU: gathered into page-locked memory by several threads, then copied on a stream of
/// its own, so that the samples of the next batch travel while the device works on this one.
/// </summary>
internal sealed unsafe class CropStaging : IDisposable
{
    // The crops of a batch and their noise, the short ones and theirs, the clean segments; and all of the next batch.
    private const int SlotCount = 10;
    private const int MostThreads = 8, MostSpeeds = 64;

    private readonly CudaDevice _device;
    private readonly CudaStream _stream;
    private readonly WorkerPool _workers = new(Math.Min(MostThreads, Environment.ProcessorCount));
    private readonly Slot[] _slots = new Slot[SlotCount];
    private readonly Dictionary<float, SpeedTable> _speeds = [];
    private Piece[] _pieces = [];
    private Slot? _arrived;
    private long _turn;

    public CropStaging(CudaDevice device)
    {
        _device = device;
        _stream = device.Driver.CreateStream();
        for (int i = 0; i < SlotCount; i++)
        {
            _slots[i] = new Slot { Copied = device.Driver.CreateEvent(), Used = device.Driver.CreateEvent() };
        }
    }

    /// <summary>Starts to bring the samples of crops that <see cref="Arrive"/> will be asked for later.</summary>
    public void Prepare(PcmSource source, ReadOnlySpan<CropRequest> crops, int samples)
    {
        if (Find(source, crops, samples) is null)
        {
            Stage(source, crops, samples);
        }
    }

    /// <summary>Makes the device's next kernel wait for the samples of these crops.</summary>
    /// <returns>Address of the rows in device memory, valid for kernels queued before <see cref="Release"/>.</returns>
    public nint Arrive(PcmSource source, ReadOnlySpan<CropRequest> crops, int samples)
    {
        _arrived = Find(source, crops, samples) ?? Stage(source, crops, samples);
        _arrived.Source = null;
        _device.Driver.Wait(_device.Stream, _arrived.Copied);
        return _arrived.Device;
    }

    /// <summary>The kernels that read what arrived are queued; its memory may be used again after them.</summary>
    public void Release()
    {
        _device.Driver.Record(_arrived!.Used, _device.Stream);
        _arrived = null;
    }

    public void Dispose()
    {
        // The threads first: the driver's calls may fail after a fault.
        _workers.Dispose();
        _device.Driver.Synchronize(_stream);
        foreach (var slot in _slots)
        {
            Free(slot);
            _device.Driver.Destroy(slot.Copied);
            _device.Driver.Destroy(slot.Used);
        }

        ForgetSpeeds();
        _device.Driver.Destroy(_stream);
    }

    private Slot? Find(PcmSource source, ReadOnlySpan<CropRequest> crops, int samples)
    {
        foreach (var slot in _slots)
        {
            if (slot.Source == source && slot.Samples == samples && crops.SequenceEqual(slot.Crops.AsSpan(0, slot.Count)))
            {
                return slot;
            }
        }

        return null;
    }

    private Slot Stage(PcmSource source, ReadOnlySpan<CropRequest> crops, int samples)
    {
        var slot = _slots[0];
        foreach (var other in _slots)
        {
            // One that nobody waits for, then the one whose turn was longest ago.
            if ((other.Source is null, slot.Source is null) is (true, false) || ((other.Source is null) == (slot.Source is null) && other.Turn < slot.Turn))
            {
                slot = other;
            }
        }

        long bytes = Plan(source, crops, samples);
        Reserve(slot, bytes, crops.Length);
        var rows = (Row*)slot.Host;
        for (int i = 0; i < crops.Length; i++)
        {
            ref var piece = ref _pieces[i];
            rows[i] = new Row
            {
                Samples = slot.Device + (nint)piece.Offset,
                Weights = piece.Speed.Weights,
                Taps = piece.Speed.Taps,
                Scale = piece.Item.Scale,
                Speed = piece.Item.Speed,
            };
        }

        fixed (Piece* pieces = _pieces)
        {
            var body = new GatherBody { Pieces = pieces, Host = (byte*)slot.Host };
            _workers.For(crops.Length, ref body);
        }

        GC.KeepAlive(source);
        _device.Driver.Wait(_stream, slot.Used);
        _device.Driver.CopyToDevice(slot.Device, (void*)slot.Host, bytes, _stream);
        _device.Driver.Record(slot.Copied, _stream);
        slot.Source = source;
        slot.Samples = samples;
        slot.Count = crops.Length;
        slot.Turn = ++_turn;
        crops.CopyTo(slot.Crops);
        return slot;
    }

    // Where in a slot each row's samples lie, and which of the utterance's they are.
    private long Plan(PcmSource source, ReadOnlySpan<CropRequest> crops, int samples)
    {
        if (_pieces.Length < crops.Length)
        {
            _pieces = new Piece[crops.Length];
        }

        if (_speeds.Count > MostSpeeds)
        {
            _device.Synchronize();
            ForgetSpeeds();
        }

        long bytes = (long)crops.Length * sizeof(Row);
        for (int i = 0; i < crops.Length; i++)
        {
            var item = CropGather.Resolve(source, crops[i]);
            bool plain = item.Speed == 1f;
            var speed = plain ? default : TableOf(item.Speed);
            int span = plain ? samples : CropGather.Span(samples, item.Speed);
            _pieces[i] = new Piece
            {
                Item = item,
                Speed = speed,
                Offset = bytes,
                From = item.Start - (long)speed.Before,
                Count = plain ? samples : span + speed.Taps + 1,
                Tiled = item.Start + (long)span > item.Length,
            };
            bytes += (_pieces[i].Count + 7L) / 8 * 8 * sizeof(short);
        }

        return bytes;
    }

    private void Reserve(Slot slot, long bytes, int crops)
    {
        _device.MakeCurrent();

        // The host's side is read by the last copy, which must be done before it is written again.
        _device.Driver.Synchronize(slot.Copied);
        if (slot.Crops.Length < crops)
        {
            slot.Crops = new CropRequest[crops];
        }

        if (slot.Bytes >= bytes)
        {
            return;
        }

        Free(slot);
        bytes += bytes / 8;
        slot.Host = _device.Driver.HostAllocate(bytes);
        slot.Device = _device.AllocateBlock(bytes);
        slot.Bytes = bytes;
    }

    private void Free(Slot slot)
    {
        if (slot.Bytes > 0)
        {
            _device.Driver.Synchronize(slot.Used);
            _device.Driver.HostFree(slot.Host);
            _device.FreeBlock(slot.Device);
            slot.Bytes = 0;
        }
    }

    private SpeedTable TableOf(float speed)
    {
        if (_speeds.TryGetValue(speed, out var known))
        {
            return known;
        }

        float[] weights = CropGather.SpeedWeights(speed, out int taps, out int before);
        var table = new SpeedTable(taps, before, _device.AllocateBlock(weights.Length * sizeof(float)));
        fixed (float* host = weights)
        {
            _device.Upload(table.Weights, host, weights.Length * sizeof(float));
        }

        _speeds.Add(speed, table);
        return table;
    }

    private void ForgetSpeeds()
    {
        foreach (var table in _speeds.Values)
        {
            _device.FreeBlock(table.Weights);
        }

        _speeds.Clear();
        foreach (var slot in _slots)
        {
            slot.Source = null;
        }
    }

    // Field by field the CropRow of engine/kernels/audio/crop_gather.cu.
    [StructLayout(LayoutKind.Sequential)]
    private struct Row
    {
        public nint Samples, Weights;
        public int Taps;
        public float Scale;
        public double Speed;
    }

    private struct Piece
    {
        public CropGather.Item Item;
        public SpeedTable Speed;
        public long Offset, From;
        public int Count;
        public bool Tiled;
    }

    /// <summary>Weights [129, Taps] in device memory for inputs from Before samples ahead of a position on.</summary>
    private readonly record struct SpeedTable(int Taps, int Before, nint Weights);

    private sealed class Slot
    {
        public CudaEvent Copied, Used;
        public nint Host, Device;
        public long Bytes, Turn;
        public PcmSource? Source;
        public int Samples, Count;
        public CropRequest[] Crops = [];
    }

    private struct GatherBody : IParallelBody
    {
        public Piece* Pieces;
        public byte* Host;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            ref readonly var piece = ref Pieces[index];
            short* to = (short*)(Host + piece.Offset);
            var pieces = new CropPieces(piece.Item.Length, piece.From, piece.Count, piece.Tiled);
            while (pieces.Next())
            {
                var target = new Span<short>(to + pieces.Offset, pieces.Count);
                if (pieces.Start < 0)
                {
                    target.Clear();
                }
                else
                {
                    new ReadOnlySpan<short>(piece.Item.Data + pieces.Start, pieces.Count).CopyTo(target);
                }
            }
        }
    }
}
