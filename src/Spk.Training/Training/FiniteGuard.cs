using System.Globalization;
using System.Numerics.Tensors;
using Spk.Engine.Autograd;
using Spk.Interop;
using Tensor = Spk.Engine.Tensors.Tensor;

namespace Spk.Training;

/// <summary>Stops a run within the step in which a number stops being finite, and names the tensor.</summary>
internal static class FiniteGuard
{
    /// <summary>Index of the first element that is NaN or infinite, or -1.</summary>
    public static int IndexOfNonFinite(ReadOnlySpan<float> values)
    {
        // The sum of magnitudes is finite unless an element is not (or the sum overflows, which the search below settles).
        if (float.IsFinite(TensorPrimitives.SumOfMagnitudes(values)))
        {
            return -1;
        }

        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Throws if the step's loss is not finite, naming the first tensor on the way to it that is not.</summary>
    public static void CheckLoss(float loss, long step, ParameterSet parameters, params ReadOnlySpan<(string Name, Tensor? Tensor)> path)
    {
        if (float.IsFinite(loss))
        {
            return;
        }

        foreach (var parameter in parameters.All)
        {
            ThrowIfNonFinite(parameter.Name, "parameter", parameter.Value, step);
        }

        foreach (var (name, tensor) in path)
        {
            if (tensor is not null)
            {
                ThrowIfNonFinite(name, "tensor", tensor, step);
            }
        }

        throw new NonFiniteException(string.Create(CultureInfo.InvariantCulture,
            $"Step {step}: the loss is {loss} although its inputs are finite; training stopped and the last checkpoint is kept: lower schedule.learningRate or raise objective.temperature."));
    }

    /// <summary>Throws if the norm of all gradients is not finite, naming the first parameter whose gradient is not.</summary>
    public static void CheckGradients(double norm, long step, ParameterSet parameters)
    {
        if (double.IsFinite(norm))
        {
            return;
        }

        foreach (var parameter in parameters.Trainable)
        {
            ThrowIfNonFinite(parameter.Name, "gradient of", parameter.Value.Grad!, step);
        }

        throw new NonFiniteException(string.Create(CultureInfo.InvariantCulture,
            $"Step {step}: the norm of the gradients overflows ({norm}); training stopped and the last checkpoint is kept: lower schedule.learningRate."));
    }

    /// <summary>Throws if something that is about to be saved is not finite.</summary>
    public static void CheckParameters(ParameterSet parameters, long step)
    {
        foreach (var parameter in parameters.All)
        {
            ThrowIfNonFinite(parameter.Name, "parameter", parameter.Value, step);
        }
    }

    private static void ThrowIfNonFinite(string name, string what, Tensor tensor, long step)
    {
        var values = new float[tensor.Count];
        tensor.CopyTo(values);
        int index = IndexOfNonFinite(values);
        if (index >= 0)
        {
            throw new NonFiniteException(string.Create(CultureInfo.InvariantCulture,
                $"Step {step}: {what} {name} is {values[index]} at element {index} of {values.Length}; training stopped and the last checkpoint is kept: lower schedule.learningRate or look at the audio of this step."));
        }
    }
}
