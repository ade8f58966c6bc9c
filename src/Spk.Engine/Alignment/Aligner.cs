using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Spk.Engine.Scoring;
using Spk.Engine.Verification;
using Spk.Interop;

namespace Spk.Engine.Alignment;

/// <summary>
/// Makes embeddings of two models comparable by cosine: profiles that an enrolment model made stay in use with another model at runtime. It
/// belongs to exactly these two models.
/// </summary>
/// <remarks>Instances never change and may be used from any thread. <c>spk align train</c> makes them.</remarks>
public sealed partial class Aligner
{
    private readonly AlignmentMap? _enrolmentMap, _runtimeMap;

    /// <summary>Puts an aligner together.</summary>
    /// <param name="variant">How it aligns, for people.</param>
    /// <param name="enrolment">The model that made the profiles.</param>
    /// <param name="runtime">The model that embeds what is compared with them.</param>
    /// <param name="enrolmentMap">What is done to profiles and enrolment embeddings; null leaves them as they are.</param>
    /// <param name="runtimeMap">What is done to runtime embeddings; null leaves them as they are.</param>
    /// <exception cref="ShapeException">The maps do not start at the models' embeddings, or end in different sizes.</exception>
    public Aligner(AlignmentVariant variant, AlignedModel enrolment, AlignedModel runtime, AlignmentMap? enrolmentMap, AlignmentMap? runtimeMap)
    {
        ArgumentNullException.ThrowIfNull(enrolment);
        ArgumentNullException.ThrowIfNull(runtime);
        (Variant, Enrolment, Runtime, _enrolmentMap, _runtimeMap) = (variant, enrolment, runtime, enrolmentMap, runtimeMap);
        SharedSize = enrolmentMap?.Outputs ?? enrolment.EmbeddingSize;
        int other = runtimeMap?.Outputs ?? runtime.EmbeddingSize;
        if ((enrolmentMap is not null && enrolmentMap.Inputs != enrolment.EmbeddingSize) || (runtimeMap is not null && runtimeMap.Inputs != runtime.EmbeddingSize) || other != SharedSize)
        {
            throw new ShapeException(
                $"an aligner of embeddings of size {enrolment.EmbeddingSize} and {runtime.EmbeddingSize} cannot have maps from {enrolmentMap?.Inputs} to {enrolmentMap?.Outputs} and from {runtimeMap?.Inputs} to {runtimeMap?.Outputs}.");
        }

        Identity = ComputeIdentity();
    }

    /// <summary>How it aligns.</summary>
    public AlignmentVariant Variant { get; }

    /// <summary>The model that made the profiles.</summary>
    public AlignedModel Enrolment { get; }

    /// <summary>The model that embeds what is compared with them.</summary>
    public AlignedModel Runtime { get; }

    /// <summary>Size of the space in which both are compared.</summary>
    public int SharedSize { get; }

    /// <summary>SHA-256 of the two models' identities and the maps, 64 hexadecimal digits.</summary>
    public string Identity { get; }

    /// <summary>What scores through this aligner are called in <see cref="Calibration.Scoring"/>.</summary>
    public string Scoring => $"{Calibration.Cosine}, aligned by {SpeakerVerifier.Short(Identity)}";

    /// <summary>Maps a profile or an enrolment embedding.</summary>
    /// <param name="embedding">An embedding of the enrolment model, of any length above 0.</param>
    /// <returns>[<see cref="SharedSize"/>], of unit length.</returns>
    /// <exception cref="ShapeException">The embedding has another size.</exception>
    /// <exception cref="NonFiniteException">The embedding is zero or not finite.</exception>
    public float[] MapEnrolment(ReadOnlySpan<float> embedding) => Map(_enrolmentMap, Enrolment, embedding);

    /// <summary>Maps a runtime embedding.</summary>
    /// <param name="embedding">An embedding of the runtime model, of any length above 0.</param>
    /// <inheritdoc cref="MapEnrolment" path="/returns|/exception"/>
    public float[] MapRuntime(ReadOnlySpan<float> embedding) => Map(_runtimeMap, Runtime, embedding);

    /// <summary>The score of a recording against a profile.</summary>
    /// <param name="enrolment">A profile or an embedding of the enrolment model.</param>
    /// <param name="runtime">An embedding of the runtime model.</param>
    /// <returns>The cosine of what they are mapped to, −1 to 1.</returns>
    /// <inheritdoc cref="MapEnrolment" path="/exception"/>
    public float Score(ReadOnlySpan<float> enrolment, ReadOnlySpan<float> runtime) =>
        Math.Clamp(TensorPrimitives.Dot<float>(MapEnrolment(enrolment), MapRuntime(runtime)), -1f, 1f);

    /// <summary>Maps many profiles or enrolment embeddings; zero vectors stay zero.</summary>
    /// <param name="embeddings">Embeddings of the enrolment model.</param>
    /// <returns>A table of the same ids.</returns>
    /// <exception cref="ShapeException">The embeddings have another size.</exception>
    public EmbeddingTable MapEnrolments(EmbeddingTable embeddings) => Map(_enrolmentMap, Enrolment, embeddings);

    /// <summary>Maps many runtime embeddings; zero vectors stay zero.</summary>
    /// <param name="embeddings">Embeddings of the runtime model.</param>
    /// <inheritdoc cref="MapEnrolments" path="/returns|/exception"/>
    public EmbeddingTable MapRuntimes(EmbeddingTable embeddings) => Map(_runtimeMap, Runtime, embeddings);

    /// <summary>Checks that this aligner was made for two models.</summary>
    /// <param name="enrolment">Identity of the model that made the profiles.</param>
    /// <param name="runtime">Identity of the model at runtime.</param>
    /// <param name="name">What to call the aligner in the message, such as its file.</param>
    /// <exception cref="DataFormatException">It was made for another pair; the message says which of the two differs.</exception>
    public void RequirePair(string enrolment, string runtime, string name = "the aligner")
    {
        Require(Enrolment.Identity, enrolment, "enrolment");
        Require(Runtime.Identity, runtime, "runtime");

        void Require(string mine, string wanted, string role)
        {
            if (mine != wanted)
            {
                throw new DataFormatException(
                    $"{name} was made for another {role} model ({SpeakerVerifier.Short(mine)}, this is {SpeakerVerifier.Short(wanted)}): train an aligner for this pair of models.");
            }
        }
    }

    private static float[] Map(AlignmentMap? map, AlignedModel model, ReadOnlySpan<float> embedding)
    {
        RequireSize(model, embedding.Length);
        var mapped = new float[map?.Outputs ?? model.EmbeddingSize];
        if (map is not null)
        {
            map.Apply(embedding, mapped);
            return mapped;
        }

        var sum = new double[mapped.Length];
        UnitVector.AddTo(sum, embedding);
        UnitVector.Write(sum, mapped);
        return mapped;
    }

    private static EmbeddingTable Map(AlignmentMap? map, AlignedModel model, EmbeddingTable embeddings)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        RequireSize(model, embeddings.Dimension);
        if (map is null)
        {
            return embeddings;
        }

        var values = new float[embeddings.Count * map.Outputs];
        Parallel.For(0, embeddings.Count, row =>
        {
            if (embeddings.Lengths[row] > 0)
            {
                map.Apply(embeddings.Row(row), values.AsSpan(row * map.Outputs, map.Outputs));
            }
        });
        return new EmbeddingTable(embeddings.Ids, values, map.Outputs);
    }

    private static void RequireSize(AlignedModel model, int size)
    {
        if (size != model.EmbeddingSize)
        {
            throw new ShapeException($"an embedding of size {size} was given to an aligner of a model of size {model.EmbeddingSize}: it is of another model.");
        }
    }

    private string ComputeIdentity()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string word in new[] { Enrolment.Identity, Runtime.Identity })
        {
            hash.AppendData(Encoding.UTF8.GetBytes(word + '\0'));
        }

        foreach (var map in new[] { _enrolmentMap, _runtimeMap })
        {
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{map?.Inputs} {map?.Outputs} {map?.Hidden}\0")));
            if (map is not null)
            {
                hash.AppendData(MemoryMarshal.AsBytes(map.Skip));
                hash.AppendData(MemoryMarshal.AsBytes(map.Bias));
                hash.AppendData(MemoryMarshal.AsBytes(map.HiddenWeight));
                hash.AppendData(MemoryMarshal.AsBytes(map.HiddenBias));
                hash.AppendData(MemoryMarshal.AsBytes(map.OutputWeight));
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
