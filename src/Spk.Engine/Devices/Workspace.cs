using Spk.Engine.Tensors;

namespace Spk.Engine.Devices;

/// <summary>
/// Memory for the tensors of one step: a bump allocator that is reset, not freed, between steps. After the first steps it
/// allocates nothing, and the same sequence of requests gets the same addresses.
/// </summary>
public sealed class Workspace : IDisposable
{
    private const long Alignment = 64;
    private const long FirstBlockBytes = 1 << 20;

    private readonly Device _device;
    private readonly List<(nint Address, long Bytes)> _blocks = [];
    private readonly List<Tensor> _tensors = [];
    private int _tensorsUsed;
    private int _block;
    private long _offset;
    private long _used;
    private long _handedOut;

    internal Workspace(Device device) => _device = device;

    /// <summary>Changes whenever blocks are taken or given back: tensors then lie elsewhere in the next step.</summary>
    internal int Generation { get; private set; }

    /// <summary>Bytes handed out since the last reset.</summary>
    public long UsedBytes => _used;

    /// <summary>The most bytes ever handed out between two resets.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Bytes held from the device.</summary>
    public long ReservedBytes { get; private set; }

    /// <summary>A tensor with undefined contents, valid until <see cref="Reset"/>.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="type">Its element type.</param>
    /// <returns>A contiguous tensor.</returns>
    public Tensor Rent(Shape shape, ElementType type = ElementType.Float32)
    {
        long bytes = Math.Max(1, (long)shape.Count * type.Size());
        var tensor = NextTensor();
        tensor.Reset(_device, Take((bytes + Alignment - 1) / Alignment * Alignment), shape, type);
        return tensor;
    }

    /// <summary>The same memory under another shape of as many elements; shares the gradient.</summary>
    /// <param name="tensor">A contiguous tensor.</param>
    /// <param name="shape">The new shape.</param>
    /// <returns>A view.</returns>
    public Tensor Reshape(Tensor tensor, Shape shape)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (!tensor.IsContiguous || tensor.Count != shape.Count)
        {
            throw new Spk.Interop.ShapeException($"Cannot view {tensor.Shape} as {shape}.");
        }

        return View(tensor, shape, 0, shape.Last);
    }

    /// <summary>Forgets all tensors handed out; their memory is used again.</summary>
    public void Reset()
    {
        if (_blocks.Count > 1)
        {
            // One block of the whole size replaces the pieces, so that the next step is contiguous and allocates nothing.
            Release();
            AddBlock(PeakBytes + (PeakBytes / 8), PeakBytes);
        }

        _tensorsUsed = 0;
        _block = 0;
        _offset = 0;
        _used = 0;
    }

    /// <summary>Gives all memory back to the device; outstanding tensors become invalid.</summary>
    public void Trim()
    {
        Release();
        Reset();
        PeakBytes = 0;
    }

    /// <inheritdoc/>
    public void Dispose() => Release();

    internal Tensor View(Tensor parent, Shape shape, int offset) =>
        View(parent, shape, offset, shape.Rank == 1 ? shape.Last : parent.RowStride);

    internal Tensor View(Tensor parent, Shape shape, int offset, int rowStride)
    {
        var view = NextTensor();
        view.ResetView(parent, shape, offset, rowStride);
        return view;
    }

    /// <summary>How much has been handed out by now.</summary>
    internal WorkspacePosition Position => new(_tensorsUsed, _block, _offset, _used);

    /// <summary>Number of the tensor handed out last.</summary>
    internal long HandedOut => _handedOut;

    /// <summary>Bytes that can be handed out before another block is needed.</summary>
    internal long RoomLeft => _block < _blocks.Count ? Math.Max(0, _blocks[_block].Bytes - _offset) : 0;

    /// <summary>Goes to a position: back, which gives everything since then away, or forward to where tensors already are.</summary>
    internal void Advance(in WorkspacePosition to) => (_tensorsUsed, _block, _offset, _used) = (to.Tensors, to.Block, to.Offset, to.Used);

    /// <summary>Whether a position lies ahead in the present block, so that what lies between can be left unused.</summary>
    internal bool CanSkipTo(in WorkspacePosition mark) => _block == mark.Block && _offset <= mark.Offset && _tensorsUsed <= mark.Tensors;

    /// <summary>Leaves everything up to a position unused.</summary>
    internal void SkipTo(in WorkspacePosition mark)
    {
        while (_tensors.Count < mark.Tensors)
        {
            _tensors.Add(new Tensor());
        }

        _used += mark.Offset - _offset;
        (_tensorsUsed, _offset) = (mark.Tensors, mark.Offset);
        PeakBytes = Math.Max(PeakBytes, _used);
    }

    /// <summary>A position some way ahead: what comes before it may vary from step to step without moving what comes after.</summary>
    internal WorkspacePosition Ahead()
    {
        const long Step = 1 << 16;
        long offset = (_offset + (_offset / 2) + Step - 1) / Step * Step;
        return new WorkspacePosition(_tensorsUsed + 32, _block, offset, _used + offset - _offset);
    }

    /// <summary>Whether no tensor between two positions was handed out anew since one with a certain number.</summary>
    internal bool IsUndisturbed(in WorkspacePosition from, in WorkspacePosition to, long handedOut)
    {
        for (int i = from.Tensors; i < to.Tensors; i++)
        {
            if (_tensors[i].HandedOut > handedOut)
            {
                return false;
            }
        }

        return true;
    }

    private Tensor NextTensor()
    {
        if (_tensorsUsed == _tensors.Count)
        {
            _tensors.Add(new Tensor());
        }

        var tensor = _tensors[_tensorsUsed++];
        tensor.HandedOut = ++_handedOut;
        return tensor;
    }

    private nint Take(long bytes)
    {
        while (_block < _blocks.Count && _offset + bytes > _blocks[_block].Bytes)
        {
            _block++;
            _offset = 0;
        }

        if (_block == _blocks.Count)
        {
            AddBlock(Math.Max(bytes, Math.Max(FirstBlockBytes, ReservedBytes)), bytes);
        }

        nint address = _blocks[_block].Address + (nint)_offset;
        _offset += bytes;
        _used += bytes;
        PeakBytes = Math.Max(PeakBytes, _used);
        return address;
    }

    // Takes less than wanted, but no less than needed, where the device has not so much left.
    private void AddBlock(long wanted, long needed)
    {
        long bytes = wanted;
        nint address;
        try
        {
            address = _device.AllocateBlock(bytes);
        }
        catch (Spk.Interop.OutOfDeviceMemoryException) when (needed < wanted)
        {
            bytes = needed;
            address = _device.AllocateBlock(bytes);
        }

        _blocks.Add((address, bytes));
        Generation++;
        ReservedBytes += bytes;
        _offset = 0;
    }

    private void Release()
    {
        foreach (var (address, _) in _blocks)
        {
            _device.FreeBlock(address);
        }

        _blocks.Clear();
        Generation++;
        ReservedBytes = 0;
        _block = 0;
        _offset = 0;
    }
}

/// <summary>How much of a workspace has been handed out.</summary>
internal readonly record struct WorkspacePosition(int Tensors, int Block, long Offset, long Used);
