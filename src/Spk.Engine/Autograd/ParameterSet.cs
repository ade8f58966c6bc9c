using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Autograd;

/// <summary>
/// All parameters of a model in two contiguous blocks, values and gradients, so that an optimiser is one pass over flat
/// memory. Layers declare what they need with <see cref="Add"/>; <see cref="Allocate"/> then makes it, once.
/// </summary>
public sealed class ParameterSet
{
    private const int AlignmentElements = 16;
    private readonly List<Parameter> _trainable = [];
    private readonly List<Parameter> _buffers = [];
    private readonly HashSet<string> _names = [];
    private Tensor? _values, _gradients;

    /// <summary>Starts an empty set.</summary>
    /// <param name="device">Where the parameters will live.</param>
    public ParameterSet(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        Device = device;
    }

    /// <summary>Where the parameters live.</summary>
    public Device Device { get; }

    /// <summary>The trained parameters, in order of declaration.</summary>
    public IReadOnlyList<Parameter> Trainable => _trainable;

    /// <summary>State that is saved but not trained (running statistics), in order of declaration.</summary>
    public IReadOnlyList<Parameter> Buffers => _buffers;

    /// <summary>Trained parameters, then buffers: everything a checkpoint holds.</summary>
    public IEnumerable<Parameter> All => _trainable.Concat(_buffers);

    /// <summary>Number of trained scalars, without padding: the published "parameter count".</summary>
    public long TrainableCount => _trainable.Sum(p => (long)p.Shape.Count);

    /// <summary>All trained values as one vector; parameters are padded to 64 bytes with zeros.</summary>
    public Tensor Values => _values ?? throw new InvalidOperationException("Call ParameterSet.Allocate first.");

    /// <summary>All gradients as one vector, laid out like <see cref="Values"/>.</summary>
    /// <exception cref="InvalidOperationException">The set is not allocated, or for inference only.</exception>
    public Tensor Gradients => _gradients ?? throw new InvalidOperationException("Call ParameterSet.Allocate first, with gradients.");

    /// <summary>Declares a trained parameter.</summary>
    /// <param name="name">Dotted name, unique in the set.</param>
    /// <param name="shape">Shape in memory.</param>
    /// <param name="initializer">Initial values.</param>
    /// <param name="layout">Order in memory against files.</param>
    /// <returns>The parameter, without memory until <see cref="Allocate"/>.</returns>
    public Parameter Add(string name, Shape shape, Initializer initializer, ParameterLayout layout = ParameterLayout.Plain) =>
        Declare(_trainable, new Parameter(name, shape, initializer, layout, trainable: true));

    /// <summary>Declares saved state that is not trained.</summary>
    /// <param name="name">Dotted name, unique in the set.</param>
    /// <param name="shape">Shape.</param>
    /// <param name="value">Initial value of every element.</param>
    /// <returns>The buffer, without memory until <see cref="Allocate"/>.</returns>
    public Parameter AddBuffer(string name, Shape shape, float value) =>
        Declare(_buffers, new Parameter(name, shape, Initializer.Constant(value), ParameterLayout.Plain, trainable: false));

    /// <summary>Makes the memory and draws the initial values. The values depend on the seed and each parameter's position.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="gradients">False for inference: half the memory, and nothing can be trained.</param>
    public void Allocate(ulong seed, bool gradients = true) => Place(seed, gradients, shape => Device.AllocatePersistent(shape));

    /// <summary>As <see cref="Allocate(ulong, bool)"/>, in the device's workspace: what is rented goes back with it, however long the device lives.</summary>
    internal void Rent(ulong seed) => Place(seed, gradients: true, shape =>
    {
        var tensor = Device.Workspace.Rent(shape);
        Device.Zero(tensor);
        return tensor;
    });

    private void Place(ulong seed, bool gradients, Func<Shape, Tensor> take)
    {
        if (_values is not null)
        {
            throw new InvalidOperationException("The parameters are allocated already.");
        }

        int total = _trainable.Sum(p => Padded(p.Shape.Count));
        _values = take(new Shape(total));
        _gradients = gradients ? take(new Shape(total)) : null;
        int offset = 0;
        for (int i = 0; i < _trainable.Count; i++)
        {
            var parameter = _trainable[i];
            parameter.Storage = Alias(_values, parameter.Shape, offset);
            if (_gradients is not null)
            {
                parameter.Storage.AttachGrad(Alias(_gradients, parameter.Shape, offset));
            }

            offset += Padded(parameter.Shape.Count);
            Initialize(parameter, seed, i);
        }

        for (int i = 0; i < _buffers.Count; i++)
        {
            _buffers[i].Storage = take(_buffers[i].Shape);
            Initialize(_buffers[i], seed, _trainable.Count + i);
        }
    }

    /// <summary>Sets all gradients to zero; call it before each backward pass.</summary>
    public void ZeroGradients() => Device.Zero(Gradients);

    /// <summary>Where a trained parameter starts in <see cref="Values"/>, in elements.</summary>
    /// <param name="parameter">A trained parameter of this set.</param>
    public int OffsetOf(Parameter parameter)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        return (int)((parameter.Value.Address - Values.Address) / sizeof(float));
    }

    private static int Padded(int count) => (count + AlignmentElements - 1) / AlignmentElements * AlignmentElements;

    private static void Initialize(Parameter parameter, ulong seed, int ordinal)
    {
        var values = new float[parameter.Shape.Count];
        parameter.Initializer.Fill(values, new CounterRandom(seed, RandomPurpose.Initialization, 0, ordinal));
        parameter.ImportFrom(values);
    }

    private static Tensor Alias(Tensor block, Shape shape, int offset)
    {
        var tensor = new Tensor();
        tensor.Reset(block.Device, block.Address + ((nint)offset * sizeof(float)), shape, ElementType.Float32);
        return tensor;
    }

    private Parameter Declare(List<Parameter> list, Parameter parameter)
    {
        if (_values is not null)
        {
            throw new InvalidOperationException($"{parameter.Name} was declared after the parameters were allocated.");
        }

        if (!_names.Add(parameter.Name))
        {
            throw new InvalidOperationException($"Two parameters are named {parameter.Name}.");
        }

        list.Add(parameter);
        return parameter;
    }
}
