using NUnit.Framework;
using Spk.Cli;
using Spk.Engine.Audio;

namespace Spk.Tests.Cli;

/// <summary>Bad input of every kind: one clear sentence, the right exit code, nothing lost, no stack trace.</summary>
public class BadInputTests
{
    [Test]
    public void Truncated_file() => PretrainOn("truncated", bytes => bytes[..(bytes.Length / 2)]).AssertRefused(ExitCode.Failure, "bad.wav");

    [Test]
    public void Zero_length_file() => PretrainOn("zero", _ => []).AssertRefused(ExitCode.Failure, "bad.wav");

    [Test]
    public void File_that_is_no_wav() => PretrainOn("text", _ => "ID3 is how an MP3 begins, for instance"u8.ToArray()).AssertRefused(ExitCode.Failure, "bad.wav");

    [Test]
    public void File_of_8_khz_in_a_recipe_of_16()
    {
        string wav = TinyRun.In("slow.wav");
        WavFile.Write(wav, new float[16000], 8000);
        byte[] slow = File.ReadAllBytes(wav);
        PretrainOn("rate", _ => slow).AssertRefused(ExitCode.Failure, "bad.wav", "8000", "16000");
    }

    [Test]
    public void NaN_samples() => PretrainOn("nan", _ => FloatWav(float.NaN)).AssertRefused(ExitCode.Failure, "bad.wav");

    [Test]
    public void Empty_manifest()
    {
        string root = Corpus("empty", bytes => bytes);
        File.WriteAllText(Path.Combine(root, "train.csv"), "path,speaker\n");
        Pretrain("empty", root).AssertRefused(ExitCode.Failure, "train.csv");
    }

    [TestCase("objective.temprature=0.1", "objective.temperature")]
    [TestCase("objective.margin=7", "objective.margin")]
    [TestCase("encoder.kind=lstm", "tdnn")]
    [TestCase("training.batch=many", "training.batch")]
    [TestCase("nonsense=1", "nonsense")]
    public void Recipe_field_that_is_unknown_or_out_of_range(string assignment, string word) =>
        Pretrain("recipe", TinyRun.Voices, "--set", assignment).AssertRefused(ExitCode.Usage, word);

    [Test]
    public void Recipe_that_is_no_yaml()
    {
        string recipe = TinyRun.In("broken.yaml");
        File.WriteAllText(recipe, "data: [unclosed\n");
        CommandLine.Run("pretrain", recipe, "--out", TinyRun.In("none")).AssertRefused(ExitCode.Failure, "broken.yaml");
        CommandLine.Run("pretrain", TinyRun.In("absent.yaml"), "--out", TinyRun.In("none")).AssertRefused(ExitCode.Failure, "absent.yaml");
    }

    [Test]
    public void Checkpoint_of_another_architecture()
    {
        byte[] before = File.ReadAllBytes(Latest(TinyRun.Run));
        Pretrain("run", TinyRun.Voices, "--resume", "--set", "encoder.width=24").AssertRefused(ExitCode.Usage, "encoder.width", "16", "24");
        Assert.That(File.ReadAllBytes(Latest(TinyRun.Run)), Is.EqualTo(before), "nothing is lost");
    }

    [TestCase(0.5)]
    [TestCase(0)]
    public void Corrupt_checkpoint(double keep)
    {
        string run = Copy($"corrupt-{keep}");
        byte[] bytes = File.ReadAllBytes(Latest(run));
        File.WriteAllBytes(Latest(run), bytes[..(int)(keep * bytes.Length)]);
        Eval(run).AssertRefused(ExitCode.Failure, "latest.safetensors");
    }

    [Test]
    public void Checkpoint_with_a_flipped_bit()
    {
        string run = Copy("flipped");
        byte[] bytes = File.ReadAllBytes(Latest(run));
        bytes[^100] ^= 4;
        File.WriteAllBytes(Latest(run), bytes);
        Eval(run).AssertRefused(ExitCode.Failure, "latest.safetensors");
        CommandLine.Run("inspect", run).AssertRefused(ExitCode.Failure, "latest.safetensors");
    }

    [Test]
    public void Output_folder_that_cannot_be_written()
    {
        string file = TinyRun.In("a-file");
        File.WriteAllText(file, "");
        Pretrain(Path.Combine("a-file", "run"), TinyRun.Voices).AssertRefused(ExitCode.Failure, "a-file");
        CommandLine.Run("embed", TinyRun.Run, "--manifest", "eval.csv", "--data", TinyRun.Voices, "--out", Path.Combine(file, "x.npy"))
            .AssertRefused(ExitCode.Failure, "a-file");
    }

    [Test]
    public void Cuda_where_there_is_no_driver()
    {
        if (Engine.Devices.CudaProbe.Run().Found)
        {
            Assert.Ignore("skipped, optional: this machine has a CUDA driver");
        }

        Pretrain("cuda", TinyRun.Voices, "--device", "cuda").AssertRefused(ExitCode.Failure, "Device 'cuda' cannot be used", "libcuda", "--device cpu");
        Pretrain("tpu", TinyRun.Voices, "--device", "tpu").AssertRefused(ExitCode.Usage, "tpu", "auto");
    }

    [Test]
    public void Run_that_does_not_exist() => Eval(TinyRun.In("nowhere")).AssertRefused(ExitCode.Failure, "nowhere");

    [Test]
    public void Demo_in_the_folder_of_another_run() =>
        CommandLine.Run("demo", "--out", TinyRun.Run).AssertRefused(ExitCode.Usage, "no demo", "--out");

    [Test]
    public void Trials_whose_files_are_elsewhere() =>
        CommandLine.Run("eval", TinyRun.Run, "--trials", Path.Combine(TinyRun.Voices, "trials.txt"), "--data", TinyRun.Folder).AssertRefused(ExitCode.Failure, "trials.txt", "--data");

    [Test]
    public void Best_checkpoint_where_there_is_none() => Eval(TinyRun.Run, "--checkpoint", "best").AssertRefused(ExitCode.Failure, "data.devSpeakers");

    [Test]
    public void Group_expression_that_is_none() => Eval(TinyRun.Run, "--group-by", "(").AssertRefused(ExitCode.Usage, "(");

    [Test]
    public void Embeddings_without_ids()
    {
        string matrix = TinyRun.In("bare.npy");
        Engine.Models.NpyFile.Write(matrix, new float[8], 2, 4);
        CommandLine.Run("score", matrix, "--trials", Path.Combine(TinyRun.Voices, "trials.txt")).AssertRefused(ExitCode.Failure, "bare.ids.txt");
        CommandLine.Run("embed", TinyRun.Run, "--manifest", "m.csv", "--out", "x.txt").AssertRefused(ExitCode.Usage, "--out", ".npy");
    }

    private static CommandLine PretrainOn(string name, Func<byte[], byte[]> damage) => Pretrain(name, Corpus(name, damage));

    private static CommandLine Pretrain(string run, string root, params string[] more) =>
        CommandLine.Run(["pretrain", TinyRun.Recipe, "--out", TinyRun.In(run), "--threads", "2", "--set", $"data.root={root}", .. more]);

    private static CommandLine Eval(string run, params string[] more) =>
        CommandLine.Run(["eval", run, "--trials", Path.Combine(TinyRun.Voices, "trials.txt"), "--data", TinyRun.Voices, .. more]);

    /// <summary>The tiny corpus with one more file, a damaged copy of a sound one.</summary>
    private static string Corpus(string name, Func<byte[], byte[]> damage)
    {
        string root = TinyRun.In($"corpus-{name}");
        CopyFolder(TinyRun.Voices, root);
        string list = Path.Combine(root, "train.csv");
        string sound = File.ReadLines(list).Skip(1).First().Split(',')[0];
        File.WriteAllBytes(Path.Combine(root, "bad.wav"), damage(File.ReadAllBytes(Path.Combine(root, sound))));
        File.AppendAllText(list, "bad.wav,someone,,\n");
        return root;
    }

    private static byte[] FloatWav(float odd)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        const int Samples = 20000;
        writer.Write("RIFF"u8);
        writer.Write(36 + (4 * Samples));
        writer.Write("WAVEfmt "u8);
        writer.Write(16);
        writer.Write((short)3);
        writer.Write((short)1);
        writer.Write(16000);
        writer.Write(64000);
        writer.Write((short)4);
        writer.Write((short)32);
        writer.Write("data"u8);
        writer.Write(4 * Samples);
        for (int i = 0; i < Samples; i++)
        {
            writer.Write(i == 700 ? odd : 0.1f);
        }

        return stream.ToArray();
    }

    private static string Latest(string run) => Path.Combine(run, "checkpoints", "latest.safetensors");

    private static string Copy(string name)
    {
        CopyFolder(TinyRun.Run, TinyRun.In(name));
        return TinyRun.In(name);
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }
    }
}
