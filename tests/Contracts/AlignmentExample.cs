using NUnit.Framework;
using Spk.Engine.Alignment;
using Spk.Engine.Scoring;
using Spk.Engine.Verification;
using Spk.Tests.Support;
using Spk.Tests.Verification;

namespace Spk.Tests.Contracts;

/// <summary>The C# example of docs/alignment.md, compiled and run.</summary>
public class AlignmentExample
{
    [Test]
    public void Runs()
    {
        using var folder = new TemporaryFolder();
        string old = TinyModel.Save(folder.At("old.safetensors")), newer = TinyModel.Save(folder.At("new.safetensors"), seed: 2);
        string profiles = folder.At("profiles.spk"), aligner = folder.At("aligner.safetensors"), calibration = folder.At("calibration.json");
        var cpu = new VerifierOptions { Device = "cpu", Contexts = 1 };
        AlignedModel first, second;
        using (var verifier = SpeakerVerifier.Open(old, profiles, cpu))
        {
            verifier.Enroll("alice", [TinyModel.Voice(1)]);
            first = new AlignedModel(verifier.ModelIdentity, TinyModel.Size);
        }

        using (var verifier = SpeakerVerifier.Open(newer, options: cpu))
        {
            second = new AlignedModel(verifier.ModelIdentity, TinyModel.Size);
        }

        var made = new Aligner(AlignmentVariant.Procrustes, first, second, null, null);
        made.Save(aligner);
        new Calibration { Scale = 1, Offset = 0, Threshold = 0.5, Scoring = made.Scoring, Model = second.Identity }.Save(calibration);
        using var runtime = Runtime(newer, profiles, aligner, calibration);
        Assert.That(runtime.Verify("alice", TinyModel.Voice(1)).Score, Is.InRange(-1, 1));
    }

    public static SpeakerVerifier Runtime(string newModel, string oldProfiles, string aligner, string calibration) =>
        SpeakerVerifier.Open(newModel, oldProfiles, new VerifierOptions
        {
            Aligner = Aligner.Load(aligner),
            Calibration = Calibration.Load(calibration),
        });
}
