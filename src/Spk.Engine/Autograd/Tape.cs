using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Autograd;

/// <summary>One recorded op: what its backward pass needs. Nodes are reused by position, so fields are set on every record.</summary>
public abstract class TapeNode
{
    /// <summary>Reads the gradient of the op's output and adds to the gradients of its inputs.</summary>
    public abstract void Backward();
}

/// <summary>
/// Eager reverse-mode record of coarse ops. Recording the same sequence of ops again (the next training step) reuses the
/// nodes and allocates nothing.
/// </summary>
public sealed class Tape
{
    private readonly List<TapeNode> _nodes = [];
    private int _count;

    /// <summary>Ops recorded since the last <see cref="Clear"/>.</summary>
    public int Count => _count;

    /// <summary>Adds a node at the end of the tape.</summary>
    /// <typeparam name="TNode">The op's node type.</typeparam>
    /// <returns>A node whose fields the op must set.</returns>
    public TNode Record<TNode>() where TNode : TapeNode, new()
    {
        if (_count < _nodes.Count)
        {
            if (_nodes[_count] is not TNode known)
            {
                known = new TNode();
                _nodes[_count] = known;
            }

            _count++;
            return known;
        }

        var node = new TNode();
        _nodes.Add(node);
        _count++;
        return node;
    }

    /// <summary>Fills the gradients of everything the loss depends on, from d(loss)/d(loss) = 1.</summary>
    /// <param name="loss">A tensor of one element that a recorded op returned.</param>
    /// <exception cref="ShapeException">The loss is not a single element.</exception>
    public void Backward(Tensor loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        if (loss.Count != 1)
        {
            throw new ShapeException($"A backward pass starts from one element, not from shape {loss.Shape}.");
        }

        loss.Device.Fill(loss.GradForWrite(out _), 1f);
        BackwardFromGradients();
    }

    /// <summary>Fills the gradients of everything an output depends on, from the gradient of some loss with respect to that output.</summary>
    /// <param name="output">A tensor that a recorded op returned and that nothing has been computed from.</param>
    /// <param name="gradient">d(loss)/d(output), of the output's shape; ops may overwrite it.</param>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public void Backward(Tensor output, Tensor gradient)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(gradient);
        if (!output.TakeGradient(gradient))
        {
            throw new ShapeException($"A gradient of shape {gradient.Shape} cannot start a backward pass from an output of shape {output.Shape}: both must have the same layout.");
        }

        BackwardFromGradients();
    }

    /// <summary>Walks back from gradients that were already written to some outputs.</summary>
    internal void BackwardFromGradients()
    {
        for (int i = _count - 1; i >= 0; i--)
        {
            _nodes[i].Backward();
        }
    }

    /// <summary>Starts a new record; call it together with <see cref="Devices.Workspace.Reset"/>.</summary>
    public void Clear() => _count = 0;
}
