using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Cluster;

/// <summary>Shape checks that the clustering ops share.</summary>
internal static class ClusterChecks
{
    public static void RequireMatrix(Device device, Tensor tensor, string name, int columns = -1)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        if (tensor.Device != device || tensor.ElementType != ElementType.Float32 || tensor.Shape.Rank != 2 || (columns >= 0 && tensor.Shape[1] != columns))
        {
            string wanted = columns < 0 ? "a matrix" : $"a matrix of {columns} columns";
            throw new ShapeException($"{name} must be {wanted}, f32, on {device.Name}; it is {tensor.ElementType} of shape {tensor.Shape} on {tensor.Device.Name}.");
        }
    }

    public static void RequireVector(Device device, Tensor tensor, string name, int length, ElementType type)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        if (tensor.Device != device || tensor.ElementType != type || tensor.Shape.Rank != 1 || tensor.Shape[0] != length)
        {
            throw new ShapeException(
                $"{name} must hold {length} elements of {type} on {device.Name}; it is {tensor.ElementType} of shape {tensor.Shape} on {tensor.Device.Name}.");
        }
    }
}
