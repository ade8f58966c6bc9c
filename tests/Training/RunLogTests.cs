using System.Text.Json;
using NUnit.Framework;
using Spk.Training;
using Spk.Training.Objectives;

namespace Spk.Tests.TrainingRuns;

public class RunLogTests
{
    private string _path = "";

    [SetUp]
    public void MakeFolder() => _path = Path.Combine(Directory.CreateTempSubdirectory("spk-log-").FullName, "log.jsonl");

    [TearDown]
    public void RemoveFolder() => Directory.Delete(Path.GetDirectoryName(_path)!, recursive: true);

    [Test]
    public void Every_line_is_a_json_object_that_reads_back()
    {
        using (var log = RunLog.Open(_path, 0))
        {
            log.Write(Record(1, loss: 5.5f));
            log.Write("eval", 1, 1, json => json.WriteNumber("eer", 0.25));
            log.Write(Record(2, loss: float.NaN));
        }

        var lines = File.ReadAllLines(_path).Select(l => JsonDocument.Parse(l).RootElement).ToArray();
        Assert.Multiple(() =>
        {
            Assert.That(lines.Select(l => l.GetProperty("kind").GetString()), Is.EqualTo(new[] { "step", "eval", "step" }));
            Assert.That(lines[0].GetProperty("loss").GetSingle(), Is.EqualTo(5.5f));
            Assert.That(lines[1].GetProperty("eer").GetDouble(), Is.EqualTo(0.25));
            Assert.That(lines[2].GetProperty("loss").ValueKind, Is.EqualTo(JsonValueKind.Null), "JSON has no NaN");
        });
    }

    [Test]
    public void Reopening_cuts_off_what_lies_after_the_checkpoint_and_a_torn_line()
    {
        using (var log = RunLog.Open(_path, 0))
        {
            for (int step = 1; step <= 10; step++)
            {
                log.Write(Record(step));
            }
        }

        File.AppendAllText(_path, "{\"kind\":\"step\",\"st");
        using (var log = RunLog.Open(_path, 7))
        {
            log.Write(Record(8));
        }

        Assert.That(Steps(), Is.EqualTo(new long[] { 1, 2, 3, 4, 5, 6, 7, 8 }));
    }

    [Test]
    public void Opening_at_step_0_starts_afresh()
    {
        File.WriteAllText(_path, "{\"kind\":\"step\",\"step\":1}\n");
        using (RunLog.Open(_path, 0))
        {
        }

        Assert.That(File.ReadAllText(_path), Is.Empty);
    }

    [Test]
    public void Writing_steps_allocates_nothing()
    {
        using var log = RunLog.Open(_path, 0);
        for (int step = 1; step <= 200; step++)
        {
            log.Write(Record(step));
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 201; step <= 1000; step++)
        {
            log.Write(Record(step));
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static StepRecord Record(long step, float loss = 1) =>
        new(step, 1, loss, 1e-3f, 0, new ObjectiveStatistics(0.5f, 0.1f, 0.25f), 1.5f, 3f, 200f, 0.3f);

    private IEnumerable<long> Steps() => File.ReadAllLines(_path).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("step").GetInt64());
}
