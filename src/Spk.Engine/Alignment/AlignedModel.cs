namespace Spk.Engine.Alignment;

/// <summary>One of the two models that an aligner was made for.</summary>
/// <param name="Identity">As <see cref="Models.SpeakerModel.ComputeIdentity"/> gives it.</param>
/// <param name="EmbeddingSize">Elements of its embeddings.</param>
public sealed record AlignedModel(string Identity, int EmbeddingSize);
