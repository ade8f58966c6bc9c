using System.Diagnostics;
using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Engine.Tensors;

/// <summary>
/// A block of device memory with a shape. Storage belongs to a <see cref="Workspace"/> (valid until its next reset) or
/// is persistent (parameters, optimiser state). Not thread-safe.
/// </summary>
/// <remarks>
/// Activations are channels-last, [N, T, C]. The last axis is contiguous; rows lie <see cref="RowStride"/> elements apart,
/// which differs from the last axis only for a view made by <see cref="Channels"/>.
/// </remarks>
[DebuggerDisplay("{Shape} {ElementType}")]
public sealed unsafe class Tensor
{
    private Tensor? _grad;
    private Tensor? _parent;
    private int _parentOffset;

    internal Tensor() { Device = null!; }

    /// <summary>The device that owns the memory.</summary>
    public Device Device { get; private set; }

    /// <summary>Lengths of the axes.</summary>
    public Shape Shape { get; private set; }

    /// <summary>What one element is.</summary>
    public ElementType ElementType { get; private set; }

    /// <summary>Elements from one row to the next; equal to the last axis except for channel views.</summary>
    public int RowStride { get; private set; }

    /// <summary>Whether rows follow each other without a gap.</summary>
    public bool IsContiguous => RowStride == Shape.Last || Shape.Rows <= 1;

    /// <summary>Whether this is part of another tensor, whose gradient is shared.</summary>
    internal bool IsView => _parent is not null;

    /// <summary>Whether a backward pass must fill <see cref="Grad"/>.</summary>
    public bool RequiresGrad { get; set; }

    /// <summary>Address of the first element in the device's memory.</summary>
    public nint Address { get; private set; }

    /// <summary>Number of elements.</summary>
    public int Count => Shape.Count;

    /// <summary>Gradient of the loss with respect to this tensor, or null where none has reached it yet.</summary>
    public Tensor? Grad
    {
        get
        {
            if (_parent is null)
            {
                return _grad;
            }

            if (_parent.Grad is not { } whole)
            {
                return null;
            }

            return _grad ??= Device.Workspace.View(whole, Shape, _parentOffset, RowStride);
        }
    }

    /// <summary>
    /// Begins a step for an input that outlives it: wants a gradient, and forgets that of the step before, whose memory the workspace has
    /// taken back. Activations are new in each step, and parameters keep their gradients, so neither needs it.
    /// </summary>
    public void BeginGradient() => (RequiresGrad, _grad, WantedSums) = (true, null, null);

    /// <summary>
    /// Of a gradient: its sums over runs of rows, which the op that wrote it left for the op that made the tensor it belongs to: [runs, C] for the bias of a
    /// map, [runs, 2, C] as <see cref="WantedSums"/> for a batch norm. Null where none did, or where others have written since, which they do by way of
    /// <see cref="GradForWrite"/>, <see cref="TakeGradient"/> or <see cref="CopyFrom"/>.
    /// </summary>
    internal Tensor? RunSums { get; set; }

    /// <summary>Of a batch norm's output: the sums that the product which writes its gradient may leave as that gradient's <see cref="RunSums"/>.</summary>
    internal NormGradientSums? WantedSums { get; set; }

    /// <summary>When the workspace last handed this object out: a number that grows with every tensor it hands out.</summary>
    internal long HandedOut { get; set; }

    internal float* Data => (float*)Address;

    internal int* IntData => (int*)Address;

    internal short* ShortData => (short*)Address;

    internal void Reset(Device device, nint address, Shape shape, ElementType type)
    {
        Device = device;
        Address = address;
        Shape = shape;
        ElementType = type;
        RowStride = shape.Last;
        RequiresGrad = false;
        _grad = null;
        RunSums = null;
        WantedSums = null;
        _parent = null;
        _parentOffset = 0;
    }

    internal void ResetView(Tensor parent, Shape shape, int offset, int rowStride)
    {
        Reset(parent.Device, parent.Address + ((nint)offset * parent.ElementType.Size()), shape, parent.ElementType);
        RowStride = rowStride;
        RequiresGrad = parent.RequiresGrad;
        _parent = parent;
        _parentOffset = offset;
    }

    internal void AttachGrad(Tensor grad)
    {
        _grad = grad;
        RequiresGrad = true;
    }

    /// <summary>
    /// The gradient to write in a backward pass. The first writer overwrites, later ones add; parameters and channel views
    /// are zeroed beforehand, so everyone adds.
    /// </summary>
    /// <param name="accumulate">True where the caller must add to what is there.</param>
    internal Tensor GradForWrite(out bool accumulate)
    {
        if (_parent is not null)
        {
            if (_parent.Grad is null)
            {
                var whole = _parent.GradForWrite(out bool adds);
                if (!adds)
                {
                    Device.Zero(whole);
                }
            }

            for (var owner = _parent; owner is not null; owner = owner._parent)
            {
                owner._grad?.RunSums = null;
            }

            accumulate = true;
            return Grad!;
        }

        accumulate = _grad is not null;
        _grad?.RunSums = null;
        return _grad ??= Device.Workspace.Rent(Shape, ElementType);
    }

    /// <summary>
    /// Makes the memory of an output's gradient this tensor's gradient, where nothing has reached it yet and the layouts
    /// agree: for the op that is the last reader of that gradient and rewrites it in place.
    /// </summary>
    /// <param name="gradient">The gradient of the op's output.</param>
    /// <returns>False where the op must use <see cref="GradForWrite"/>.</returns>
    internal bool TakeGradient(Tensor gradient)
    {
        if (_parent is not null || _grad is not null || gradient.Shape != Shape || gradient.RowStride != RowStride)
        {
            return false;
        }

        _grad = gradient;
        gradient.RunSums = null;
        return true;
    }

    /// <summary>
    /// A view of some channels (last axis) of every row. Writing to it writes here, and gradients that reach the view reach
    /// this tensor; so concatenation over channels is writing into neighbouring views.
    /// </summary>
    /// <param name="start">First channel.</param>
    /// <param name="count">Number of channels.</param>
    /// <returns>A view that lives as long as the current workspace step.</returns>
    public Tensor Channels(int start, int count)
    {
        if (start < 0 || count < 0 || start + count > Shape.Last)
        {
            throw new ShapeException($"Channels {start} to {start + count} are outside a tensor of {Shape.Last} channels.");
        }

        var shape = Shape.Rank switch
        {
            1 => new Shape(count),
            2 => new Shape(Shape[0], count),
            3 => new Shape(Shape[0], Shape[1], count),
            _ => new Shape(Shape[0], Shape[1], Shape[2], count),
        };
        return Device.Workspace.View(this, shape, start);
    }

    /// <summary>A contiguous run of rows along the slowest axis; gradients that reach it reach this tensor.</summary>
    /// <param name="start">First index of the slowest axis.</param>
    /// <param name="count">How many.</param>
    /// <returns>A view that lives as long as the current workspace step.</returns>
    public Tensor Slice(int start, int count)
    {
        if (start < 0 || count < 0 || start + count > Shape[0])
        {
            throw new ShapeException($"Rows {start} to {start + count} are outside a tensor of shape {Shape}.");
        }

        var shape = Shape.Rank switch
        {
            1 => new Shape(count),
            2 => new Shape(count, Shape[1]),
            3 => new Shape(count, Shape[1], Shape[2]),
            _ => new Shape(count, Shape[1], Shape[2], Shape[3]),
        };
        int rowsEach = Shape[0] == 0 ? 0 : Shape.Rank == 1 ? 1 : Shape.Rows / Shape[0] * RowStride;
        return Device.Workspace.View(this, shape, start * rowsEach);
    }

    /// <summary>The elements of a contiguous host-memory tensor, for reading and writing in place.</summary>
    /// <returns>A span over the tensor's own memory.</returns>
    /// <exception cref="InvalidOperationException">The tensor is a channel view, not f32, or not in host memory.</exception>
    public Span<float> AsSpan()
    {
        RequireHost(ElementType.Float32);
        return new Span<float>(Data, Count);
    }

    /// <summary>The elements of a contiguous host-memory tensor of integers.</summary>
    /// <returns>A span over the tensor's own memory.</returns>
    /// <exception cref="InvalidOperationException">The tensor is a channel view, not i32, or not in host memory.</exception>
    public Span<int> AsIntSpan()
    {
        RequireHost(ElementType.Int32);
        return new Span<int>(IntData, Count);
    }

    /// <summary>The samples of a contiguous host-memory PCM tensor.</summary>
    /// <returns>A span over the tensor's own memory.</returns>
    /// <exception cref="InvalidOperationException">The tensor is a channel view, not i16, or not in host memory.</exception>
    public Span<short> AsShortSpan()
    {
        RequireHost(ElementType.Int16);
        return new Span<short>(ShortData, Count);
    }

    /// <summary>Copies the elements to host memory, row by row, from any device.</summary>
    /// <param name="destination">At least <see cref="Count"/> elements.</param>
    public void CopyTo(Span<float> destination) => Device.CopyToHost(this, destination);

    /// <summary>Fills the tensor from host memory, on any device.</summary>
    /// <param name="source">Exactly <see cref="Count"/> elements.</param>
    public void CopyFrom(ReadOnlySpan<float> source)
    {
        RunSums = null;
        Device.CopyFromHost(source, this);
    }

    /// <summary>Copies the elements of an i32 tensor to host memory, row by row, from any device.</summary>
    /// <param name="destination">At least <see cref="Count"/> elements.</param>
    public void CopyIntsTo(Span<int> destination) => Device.CopyToHost(this, destination);

    /// <summary>Fills an i32 tensor from host memory, on any device.</summary>
    /// <param name="source">Exactly <see cref="Count"/> elements.</param>
    public void CopyIntsFrom(ReadOnlySpan<int> source) => Device.CopyFromHost(source, this);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal float* Row(int row) => Data + ((nint)row * RowStride);

    private void RequireHost(ElementType type)
    {
        if (!IsContiguous || ElementType != type || Device is not CpuDevice)
        {
            throw new InvalidOperationException($"A span of {type} was asked of a {ElementType} tensor on {Device.Name}, row stride {RowStride}, shape {Shape}.");
        }
    }
}
