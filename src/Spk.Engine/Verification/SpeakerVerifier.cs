using Spk.Engine.Alignment;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Interop;

namespace Spk.Engine.Verification;

/// <summary>
/// Enrols speakers, verifies a claimed speaker, and identifies a speaker among many: a model, the profiles it made, and a decision
/// threshold.
/// </summary>
/// <remarks>
/// Safe for any number of threads. Recordings are embedded by <see cref="VerifierOptions.Contexts"/> copies of the model, each on one
/// thread by default, so that throughput grows with the processors; further callers wait, and cancelling ends their wait. A recording of
/// any length takes the memory of one window. Audio is mono, at <see cref="SampleRate"/>, in ±1:
/// <see cref="Ops.Audio.Resample.Run"/> changes the rate.
/// </remarks>
public sealed class SpeakerVerifier : IDisposable
{
    private const string CalibrationFile = "calibration.json";

    private readonly VerifierOptions _options;
    private readonly ModelPool _models;
    private int _disposed;

    private SpeakerVerifier(VerifierOptions options, ModelPool models, string identity, Calibration? calibration, ProfileStore profiles) =>
        (_options, _models, ModelIdentity, Calibration, Profiles) = (options, models, identity, calibration, profiles);

    /// <summary>Identity of the model (<see cref="SpeakerModel.ComputeIdentity"/>), which profiles and calibrations are bound to.</summary>
    public string ModelIdentity { get; }

    /// <summary>Threshold and ratios; null where there is none, so that nothing can be verified.</summary>
    public Calibration? Calibration { get; }

    /// <summary>The enrolled speakers; with an aligner what it makes of them, in memory.</summary>
    public ProfileStore Profiles { get; }

    /// <summary>Sample rate that audio must have, Hz.</summary>
    public int SampleRate => _models.Any.SampleRate;

    /// <summary>D, elements of an embedding.</summary>
    public int EmbeddingSize => _models.Any.EmbeddingSize;

    /// <summary>Recordings that are embedded at the same time.</summary>
    public int Contexts => _models.Count;

    /// <summary>Bytes that the models hold on their devices: weights, tables and room for a window.</summary>
    public long HeldBytes => _models.HeldBytes;

    /// <summary>Loads a model, its calibration and its profiles.</summary>
    /// <param name="model">Run folder, checkpoint or model file.</param>
    /// <param name="profiles">File of the profiles: read where it exists, replaced after every enrolment. Null keeps them in memory only.</param>
    /// <param name="options">Device, concurrency, limits; null for the defaults.</param>
    /// <returns>The verifier; dispose it.</returns>
    /// <exception cref="DataFormatException">A file is missing, damaged or no such file; or it was made by another model. The message says which.</exception>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    /// <exception cref="DeviceUnavailableException">CUDA was asked for and cannot be used.</exception>
    public static SpeakerVerifier Open(string model, string? profiles = null, VerifierOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        options ??= new VerifierOptions();
        options.Validate();
        var models = new ModelPool(model, options);
        try
        {
            string identity = models.Any.ComputeIdentity();
            var store = options.Aligner is { } aligner ? Aligned(profiles, aligner, identity)
                : profiles is null ? new ProfileStore(identity, models.Any.EmbeddingSize)
                : ProfileStore.Open(profiles, identity, models.Any.EmbeddingSize);
            string scoring = options.Aligner?.Scoring ?? Calibration.Cosine;
            return new SpeakerVerifier(options, models, identity, Usable(options.Calibration ?? Beside(model, options.Aligner), identity, scoring), store);
        }
        catch
        {
            models.Dispose();
            throw;
        }
    }

    /// <summary>The embedding of a recording, of unit length: the dot product of two is their cosine.</summary>
    /// <param name="samples">Mono samples in ±1 at <see cref="SampleRate"/>.</param>
    /// <param name="cancellation">Looked at while waiting for a context and before each window.</param>
    /// <returns>[D].</returns>
    /// <exception cref="UnusableAudioException">The recording is too short, silent or clipped.</exception>
    /// <exception cref="NonFiniteException">A sample is NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The verifier was disposed.</exception>
    public float[] Embed(ReadOnlySpan<float> samples, CancellationToken cancellation = default)
    {
        ThrowIfDisposed();
        var check = new RecordingCheck(_options, SampleRate);
        check.Add(samples);
        check.Finish();
        var model = _models.Rent(cancellation);
        try
        {
            var embedder = NewEmbedder((window, embedding) =>
            {
                cancellation.ThrowIfCancellationRequested();
                model.Embed(window, SampleRate, embedding);
            });
            embedder.Add(samples);
            return embedder.Finish();
        }
        finally
        {
            _models.Return(model);
        }
    }

    /// <summary>The embedding of a recording that arrives in pieces, such as an upload or a call; equal to that of the whole.</summary>
    /// <param name="audio">Pieces of any length, mono samples in ±1 at <see cref="SampleRate"/>. A piece is not used after the next is asked for.</param>
    /// <param name="cancellation">Looked at between pieces and windows.</param>
    /// <returns>[D], of unit length.</returns>
    /// <inheritdoc cref="Embed" path="/exception"/>
    public async Task<float[]> EmbedAsync(IAsyncEnumerable<ReadOnlyMemory<float>> audio, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(audio);
        ThrowIfDisposed();
        var check = new RecordingCheck(_options, SampleRate);

        // A model is lent for the time of one window: who talks slowly keeps no other from being embedded.
        var embedder = NewEmbedder((window, embedding) =>
        {
            var model = _models.Rent(cancellation);
            try
            {
                model.Embed(window, SampleRate, embedding);
            }
            finally
            {
                _models.Return(model);
            }
        });
        await foreach (var piece in audio.WithCancellation(cancellation).ConfigureAwait(false))
        {
            check.Add(piece.Span);
            embedder.Add(piece.Span);
        }

        check.Finish();
        return embedder.Finish();
    }

    /// <summary>Enrols a speaker, or enrols one anew: the mean of the unit embeddings of some recordings becomes the profile.</summary>
    /// <param name="id">Name of the speaker.</param>
    /// <param name="recordings">One or more, each as for <see cref="Embed"/>; several, from different days, make a better profile.</param>
    /// <param name="cancellation">As for <see cref="Embed"/>.</param>
    /// <returns>The profile. With a file of profiles it is on the disk; after an exception the file and the store are as they were.</returns>
    /// <exception cref="InvalidOptionException">The name is empty, too long, or has control characters; or the profiles are another model's.</exception>
    /// <exception cref="DataFormatException">There are no recordings.</exception>
    /// <exception cref="SpkException">The file of profiles cannot be written.</exception>
    /// <inheritdoc cref="Embed" path="/exception"/>
    public Profile Enroll(string id, IEnumerable<ReadOnlyMemory<float>> recordings, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(recordings);
        ProfileStore.RequireId(id);
        if (_options.Aligner is not null)
        {
            throw new InvalidOptionException($"'{id}' cannot be enrolled here: the profiles are those of another model, read through an aligner; open a verifier with that model.");
        }

        var sum = new double[EmbeddingSize];
        int count = 0;
        foreach (var recording in recordings)
        {
            UnitVector.AddTo(sum, Embed(recording.Span, cancellation));
            count++;
        }

        if (count == 0)
        {
            throw new DataFormatException($"no recording of '{id}' was given: one or more are needed to enrol.");
        }

        var unit = new float[sum.Length];
        UnitVector.Write(sum, unit);
        var profile = new Profile(id, unit, count);
        Profiles.PutAndSave(profile);
        return profile;
    }

    /// <summary>Compares a recording with the profile of the speaker who it is said to be.</summary>
    /// <param name="id">The claimed speaker.</param>
    /// <param name="samples">As for <see cref="Embed"/>.</param>
    /// <param name="cancellation">As for <see cref="Embed"/>.</param>
    /// <returns>Score and decision.</returns>
    /// <exception cref="InvalidOptionException">Nobody of this name is enrolled, or there is no threshold.</exception>
    /// <inheritdoc cref="Embed" path="/exception"/>
    public Verification Verify(string id, ReadOnlySpan<float> samples, CancellationToken cancellation = default)
    {
        var calibration = Calibration ?? throw new InvalidOptionException(
            $"there is no threshold to verify by: make one with 'spk calibrate --out {CalibrationFile}' in the model's folder, or set {nameof(VerifierOptions)}.{nameof(VerifierOptions.Calibration)}.");
        float score = Score(id, samples, cancellation);
        return new Verification(id, score, score >= calibration.Threshold, calibration.Threshold, calibration.LogLikelihoodRatio(score));
    }

    /// <summary>The cosine of a recording with a profile, without a decision.</summary>
    /// <param name="id">The claimed speaker.</param>
    /// <param name="samples">As for <see cref="Embed"/>.</param>
    /// <param name="cancellation">As for <see cref="Embed"/>.</param>
    /// <returns>−1 to 1.</returns>
    /// <exception cref="InvalidOptionException">Nobody of this name is enrolled.</exception>
    /// <inheritdoc cref="Embed" path="/exception"/>
    public float Score(string id, ReadOnlySpan<float> samples, CancellationToken cancellation = default)
    {
        var profile = Profiles.Find(id) ?? throw new InvalidOptionException($"nobody named '{id}' is enrolled: enrol this speaker first.");
        return ProfileStore.Cosine(profile.Embedding.Span, Comparable(samples, cancellation));
    }

    /// <summary>The profiles nearest to a recording.</summary>
    /// <param name="samples">As for <see cref="Embed"/>.</param>
    /// <param name="top">How many, 1 or more.</param>
    /// <param name="cancellation">As for <see cref="Embed"/>.</param>
    /// <returns>By falling score; fewer where there are fewer profiles. The first is the speaker only if its score reaches the threshold.</returns>
    /// <exception cref="InvalidOptionException"><paramref name="top"/> is below 1.</exception>
    /// <inheritdoc cref="Embed" path="/exception"/>
    public IReadOnlyList<SpeakerMatch> Identify(ReadOnlySpan<float> samples, int top, CancellationToken cancellation = default) =>
        Profiles.Nearest(Comparable(samples, cancellation), top, cancellation);

    /// <summary>Waits for recordings that are being embedded, then frees the models.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _models.Dispose();
            Profiles.Dispose();
        }
    }

    private float[] Comparable(ReadOnlySpan<float> samples, CancellationToken cancellation)
    {
        float[] embedding = Embed(samples, cancellation);
        return _options.Aligner?.MapRuntime(embedding) ?? embedding;
    }

    private RecordingEmbedder NewEmbedder(RecordingEmbedder.Embedding embed) => new(
        (int)(_options.WindowSeconds * SampleRate), (int)(Math.Max(_options.MinimumSeconds, 1) * SampleRate), EmbeddingSize, embed);

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, this);

    // What lies beside the model is of its own profiles.
    private static Calibration? Beside(string model, Aligner? aligner)
    {
        if (aligner is not null)
        {
            return null;
        }

        string folder = Directory.Exists(model) ? model : Path.GetDirectoryName(Path.GetFullPath(model))!;
        string path = Path.Combine(folder, CalibrationFile);
        return File.Exists(path) ? Calibration.Load(path) : null;
    }

    private static ProfileStore Aligned(string? profiles, Aligner aligner, string identity)
    {
        if (profiles is null)
        {
            throw new InvalidOptionException("an aligner is for stored profiles of another model: name their file.");
        }

        if (!File.Exists(profiles))
        {
            throw new DataFormatException($"{profiles} does not exist: an aligner reads profiles that another model has stored.");
        }

        aligner.RequirePair(aligner.Enrolment.Identity, identity);
        using var stored = ProfileStore.Open(profiles, aligner.Enrolment.Identity, aligner.Enrolment.EmbeddingSize);
        return stored.Mapped(aligner);
    }

    private static Calibration? Usable(Calibration? calibration, string identity, string scoring)
    {
        if (calibration is null)
        {
            return null;
        }

        if (calibration.Model is { } other && other != identity)
        {
            throw new DataFormatException($"the calibration belongs to another model ({Short(other)}, this is {Short(identity)}): calibrate this model.");
        }

        return calibration.Scoring == scoring
            ? calibration
            : throw new DataFormatException($"the calibration is of scores of the kind '{calibration.Scoring}', this verifier's are '{scoring}': calibrate scores of that kind.");
    }

    internal static string Short(string identity) => identity.Length > 12 ? identity[..12] : identity;
}
