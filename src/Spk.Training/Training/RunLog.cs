using System.Buffers;
using System.Diagnostics;
using System.Text.Json;
using Spk.Interop;
using Spk.Training.Objectives;

namespace Spk.Training;

/// <summary>What one step logs.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="Epoch">Epoch of the step, from 1.</param>
/// <param name="Loss">Training loss.</param>
/// <param name="LearningRate">Rate used by the step.</param>
/// <param name="Margin">Margin used by the step, 0 without one.</param>
/// <param name="Statistics">What the objective shows besides its loss.</param>
/// <param name="GradientNorm">Euclidean norm of all gradients before clipping, without those of frozen parameters.</param>
/// <param name="EmbeddingNorm">Mean Euclidean length of the embeddings before normalisation.</param>
/// <param name="UtterancesPerSecond">Speed of this step.</param>
/// <param name="DataShare">Share of the step spent on audio, 0 to 1.</param>
public readonly record struct StepRecord(
    long Step,
    int Epoch,
    float Loss,
    float LearningRate,
    float Margin,
    ObjectiveStatistics Statistics,
    float GradientNorm,
    float EmbeddingNorm,
    float UtterancesPerSecond,
    float DataShare);

/// <summary>
/// Writes log.jsonl: one JSON object a line, each with a "kind" of step, eval, epoch or warning. Writing a step allocates nothing:
/// lines are formatted into a reused buffer, which goes to the file with the first step that is a second after the last write.
/// </summary>
internal sealed class RunLog : IDisposable
{
    private const int FlushBytes = 16 * 1024;
    private static readonly TimeSpan FlushInterval = TimeSpan.FromSeconds(1);
    private static readonly JsonEncodedText Kind = JsonEncodedText.Encode("kind");
    private static readonly JsonEncodedText StepKind = JsonEncodedText.Encode("step");
    private static readonly JsonEncodedText Step = JsonEncodedText.Encode("step");
    private static readonly JsonEncodedText Epoch = JsonEncodedText.Encode("epoch");
    private static readonly JsonEncodedText Loss = JsonEncodedText.Encode("loss");
    private static readonly JsonEncodedText LearningRate = JsonEncodedText.Encode("learningRate");
    private static readonly JsonEncodedText Margin = JsonEncodedText.Encode("margin");
    private static readonly JsonEncodedText PositiveCosine = JsonEncodedText.Encode("cosPositive");
    private static readonly JsonEncodedText NegativeCosine = JsonEncodedText.Encode("cosNegative");
    private static readonly JsonEncodedText HitRate = JsonEncodedText.Encode("hit");
    private static readonly JsonEncodedText TeacherEntropy = JsonEncodedText.Encode("teacherEntropy");
    private static readonly JsonEncodedText Divergence = JsonEncodedText.Encode("divergence");
    private static readonly JsonEncodedText GradientNorm = JsonEncodedText.Encode("gradientNorm");
    private static readonly JsonEncodedText EmbeddingNorm = JsonEncodedText.Encode("embeddingNorm");
    private static readonly JsonEncodedText Speed = JsonEncodedText.Encode("utterancesPerSecond");
    private static readonly JsonEncodedText DataShare = JsonEncodedText.Encode("dataShare");

    private readonly FileStream _file;
    private readonly ArrayBufferWriter<byte> _buffer = new(2 * FlushBytes);
    private readonly Utf8JsonWriter _json;
    private readonly string _path;
    private long _flushed = Stopwatch.GetTimestamp();

    private RunLog(string path, FileStream file)
    {
        _path = path;
        _file = file;
        _json = new Utf8JsonWriter(_buffer);
    }

    /// <summary>Opens the log to append after the lines of the first <paramref name="lastStep"/> steps; later lines are cut off.</summary>
    public static RunLog Open(string path, long lastStep)
    {
        try
        {
            var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
            long keep = LengthUpTo(file, lastStep);
            file.SetLength(keep);
            file.Position = keep;
            return new RunLog(path, file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SpkException($"Cannot write {path}: {e.Message}", e);
        }
    }

    public void Write(in StepRecord record)
    {
        _json.WriteStartObject();
        _json.WriteString(Kind, StepKind);
        _json.WriteNumber(Step, record.Step);
        _json.WriteNumber(Epoch, record.Epoch);
        WriteNumber(Loss, record.Loss);
        WriteNumber(LearningRate, record.LearningRate);
        WriteNumber(Margin, record.Margin);
        WriteKnown(PositiveCosine, record.Statistics.PositiveCosine);
        WriteKnown(NegativeCosine, record.Statistics.NegativeCosine);
        WriteKnown(HitRate, record.Statistics.HitRate);
        WriteKnown(TeacherEntropy, record.Statistics.TeacherEntropy);
        WriteKnown(Divergence, record.Statistics.Divergence);
        WriteNumber(GradientNorm, record.GradientNorm);
        WriteNumber(EmbeddingNorm, record.EmbeddingNorm);
        WriteNumber(Speed, MathF.Round(record.UtterancesPerSecond, 1));
        WriteNumber(DataShare, MathF.Round(record.DataShare, 4));
        EndLine();
        if (_buffer.WrittenCount >= FlushBytes || Stopwatch.GetElapsedTime(_flushed) > FlushInterval)
        {
            Flush();
        }
    }

    /// <summary>Writes a line that is not a step's: an evaluation, an epoch's means, a warning.</summary>
    public void Write(string kind, long step, int epoch, Action<Utf8JsonWriter> fields)
    {
        _json.WriteStartObject();
        _json.WriteString(Kind, kind);
        _json.WriteNumber(Step, step);
        _json.WriteNumber(Epoch, epoch);
        fields(_json);
        EndLine();
    }

    /// <summary>Hands what is buffered to the operating system.</summary>
    public void Flush()
    {
        try
        {
            _file.Write(_buffer.WrittenSpan);
            _buffer.ResetWrittenCount();
            _flushed = Stopwatch.GetTimestamp();
        }
        catch (IOException e)
        {
            throw new SpkException($"Cannot write {_path}: {e.Message} Training stopped; the last checkpoint is whole.", e);
        }
    }

    public void Dispose()
    {
        try
        {
            Flush();
        }
        finally
        {
            _json.Dispose();
            _file.Dispose();
        }
    }

    // The bytes before the first line whose step lies after lastStep; a torn last line is cut too.
    private static long LengthUpTo(FileStream file, long lastStep)
    {
        var bytes = new byte[file.Length];
        file.Position = 0;
        file.ReadExactly(bytes);
        int start = 0;
        while (start < bytes.Length)
        {
            int length = bytes.AsSpan(start).IndexOf((byte)'\n');
            if (length < 0 || StepOf(bytes.AsSpan(start, length)) is not { } step || step > lastStep)
            {
                break;
            }

            start += length + 1;
        }

        return start;
    }

    private static long? StepOf(ReadOnlySpan<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("step"u8))
                {
                    return reader.Read() && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long step) ? step : null;
                }
            }
        }
        catch (JsonException)
        {
            return null;
        }

        return null;
    }

    private void EndLine()
    {
        _json.WriteEndObject();
        _json.Flush();
        _json.Reset();
        _buffer.GetSpan(1)[0] = (byte)'\n';
        _buffer.Advance(1);
    }

    // An objective has not every figure.
    private void WriteKnown(JsonEncodedText name, float value)
    {
        if (!float.IsNaN(value))
        {
            WriteNumber(name, value);
        }
    }

    // JSON has no NaN or infinity.
    private void WriteNumber(JsonEncodedText name, float value)
    {
        if (float.IsFinite(value))
        {
            _json.WriteNumber(name, value);
        }
        else
        {
            _json.WriteNull(name);
        }
    }
}
