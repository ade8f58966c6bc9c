using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class PrototypeDistillTests(TestDevice on)
{
    // Prototypes that are the unit vectors make the rows themselves the logits.
    [Category("Golden")]
    [TestCaseSource(typeof(PrototypeDistillTests), nameof(GoldenCases))]
    public void Logits_give_PyTorch_s_loss_gradient_and_centre(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        using var device = on.Open();
        int prototypes = g.Integer("prototypes");
        var student = Samples.Variable(device, new Shape(g.Input("student").Shape[0], prototypes), g.Input("student").ToSingle());
        var teacher = Samples.Constant(device, new Shape(g.Input("teacher").Shape[0], prototypes), g.Input("teacher").ToSingle());
        var centre = Samples.Constant(device, new Shape(prototypes), g.Input("center").ToSingle());
        var unit = Samples.Constant(device, new Shape(prototypes, prototypes), UnitVectors(prototypes));
        var options = new PrototypeDistillOptions
        {
            StudentTemperature = (float)g.Number("student_temp"),
            TeacherTemperature = (float)g.Number("teacher_temp"),
            TeacherViews = g.Integer("global_views"),
        };
        var tape = new Tape();
        var loss = PrototypeDistill.Forward(tape, student, teacher, unit, unit, centre, options, out var statistics);
        PrototypeDistill.UpdateCentre(centre, statistics, g.Number("center_momentum"));
        tape.Backward(loss);
        g.AssertOutput("loss", Samples.Read(loss));
        g.AssertOutput("grad_student", Samples.Read(student.Grad!));
        g.AssertOutput("new_center", Samples.Read(centre));
    }

    [Test]
    public void The_vector_of_the_methods_is_met()
    {
        using var device = on.Open();
        var student = Rows(device, 2, 3, 4);
        var teacher = Rows(device, 0, 1);
        var unit = Samples.Constant(device, new Shape(5, 5), UnitVectors(5));
        var centre = Samples.Constant(device, new Shape(5), [0, 0.05f, 0.1f, 0.15f, 0.2f]);
        var loss = PrototypeDistill.Forward(null, student, teacher, unit, unit, centre, new PrototypeDistillOptions());
        Assert.That(Samples.Read(loss)[0], Is.EqualTo(8.977997334).Within(2e-5));

        static Tensor Rows(Device device, params int[] views)
        {
            float[] values = [.. views.SelectMany(view => Samples.Read(Vectors.Views(device, view)))];
            return Samples.Constant(device, new Shape(4 * views.Length, 5), values);
        }
    }

    // Two blocks of prototypes, the last ragged; one block; fewer prototypes than a vector has lanes. Rows are not of unit length.
    [Test]
    public void Gradients_match_differences([Values(1, 17, 290)] int prototypes, [Values(1, 2, 3)] int teacherViews)
    {
        const int batch = 2, views = 3, width = 3;
        var options = new PrototypeDistillOptions { StudentTemperature = 0.5f, TeacherTemperature = 0.3f, TeacherViews = teacherViews, LogitsAtOnce = 1 };
        float[] teacher = Samples.Normal(3, teacherViews * batch * width), teacherPrototypes = Samples.Normal(4, prototypes * width);
        float[] centre = Samples.Normal(5, prototypes, 0.1f);
        using var device = on.Open();
        (string, Shape, float[])[] inputs =
        [
            ("student", new Shape(views * batch, width), Samples.Normal(1, views * batch * width)),
            ("prototypes", new Shape(prototypes, width), Samples.Normal(2, prototypes * width)),
        ];
        GradientCheck.Run(
            device,
            inputs,
            (tape, v) => PrototypeDistill.Forward(
                tape, v[0], Samples.Constant(device, new Shape(teacherViews * batch, width), teacher), v[1],
                Samples.Constant(device, new Shape(prototypes, width), teacherPrototypes), Samples.Constant(device, new Shape(prototypes), centre), options),
            v => [Reference(v[0], Samples.ToDouble(teacher), v[1], Samples.ToDouble(teacherPrototypes), Samples.ToDouble(centre), width, batch, options).Loss]);
    }

    [Test]
    public void Statistics_are_those_of_the_plain_formula([Values(5, 600)] int prototypes)
    {
        const int batch = 3, views = 4, width = 8;
        var options = new PrototypeDistillOptions { LogitsAtOnce = 1 };
        float[] student = Samples.Normal(1, views * batch * width), teacher = Samples.Normal(2, 2 * batch * width);
        float[] first = Samples.Normal(3, prototypes * width), second = Samples.Normal(4, prototypes * width), centre = Samples.Normal(5, prototypes, 0.1f);
        using var device = on.Open();
        var loss = PrototypeDistill.Forward(
            null, Samples.Constant(device, new Shape(views * batch, width), student), Samples.Constant(device, new Shape(2 * batch, width), teacher),
            Samples.Constant(device, new Shape(prototypes, width), first), Samples.Constant(device, new Shape(prototypes, width), second),
            Samples.Constant(device, new Shape(prototypes), centre), options, out var statistics);
        var want = Reference(
            Samples.ToDouble(student), Samples.ToDouble(teacher), Samples.ToDouble(first), Samples.ToDouble(second), Samples.ToDouble(centre), width, batch, options);
        Assert.Multiple(() =>
        {
            Assert.That(Samples.Read(loss)[0], Is.EqualTo(want.Loss).Within(1e-5 * want.Loss));
            Assert.That(statistics.TeacherEntropy, Is.EqualTo(want.Entropy).Within(1e-5 * want.Loss));
            Assert.That(statistics.Divergence, Is.EqualTo(want.Loss - want.Entropy).Within(1e-5 * want.Loss));
            Assert.That(statistics.MeanHighestProbability, Is.EqualTo(want.Highest).Within(1e-5));
            Close.Assert(Samples.Read(statistics.MeanTeacherLogits), want.Means, 1e-6 * want.Means.Max(Math.Abs), "mean logits");
        });
    }

    [Test]
    public void Uniform_and_one_hot_teachers_have_the_entropies_of_collapse()
    {
        using var device = on.Open();
        const int prototypes = 40;
        var unit = Samples.Constant(device, new Shape(prototypes, prototypes), UnitVectors(prototypes));
        var student = Samples.Constant(device, new Shape(6, prototypes), Samples.Normal(1, 6 * prototypes, 0.1f));
        var centre = Samples.Constant(device, new Shape(prototypes), new float[prototypes]);
        var flat = Samples.Constant(device, new Shape(4, prototypes), new float[4 * prototypes]);
        float[] peaks = new float[4 * prototypes];
        for (int row = 0; row < 4; row++)
        {
            peaks[(row * prototypes) + row] = 1;
        }

        PrototypeDistill.Forward(null, student, flat, unit, unit, centre, new PrototypeDistillOptions(), out var uniform);
        PrototypeDistill.Forward(
            null, student, Samples.Constant(device, new Shape(4, prototypes), peaks), unit, unit, centre, new PrototypeDistillOptions(), out var single);
        Assert.Multiple(() =>
        {
            Assert.That(uniform.TeacherEntropy, Is.EqualTo(Math.Log(prototypes)).Within(1e-6));
            Assert.That(uniform.MeanHighestProbability, Is.EqualTo(1.0 / prototypes).Within(1e-7));
            Assert.That(single.TeacherEntropy, Is.Zero.Within(5e-6));
            Assert.That(single.MeanHighestProbability, Is.EqualTo(1).Within(1e-6));
        });
    }

    [Test]
    public void The_number_of_blocks_does_not_change_the_result()
    {
        using var device = on.Open();
        var (one, several) = (Run(1 << 22), Run(1));
        for (int i = 0; i < one.Length; i++)
        {
            Close.Assert(several[i], one[i], 1e-5 * one[i].Max(Math.Abs), $"result {i}");
        }

        float[][] Run(int logitsAtOnce)
        {
            device.Workspace.Reset();
            var case1 = Head.Create(device, batch: 5, views: 6, width: 33, prototypes: 700);
            return case1.Run(new PrototypeDistillOptions { LogitsAtOnce = logitsAtOnce });
        }
    }

    [Test]
    public void Frozen_prototypes_get_no_gradient()
    {
        using var device = on.Open();
        var head = Head.Create(device, 2, 3, 8, 20);
        var free = head.Run(new PrototypeDistillOptions());
        device.Workspace.Reset();
        head = Head.Create(device, 2, 3, 8, 20);
        head.Run(new PrototypeDistillOptions { FreezePrototypes = true }, readsPrototypes: false);
        Assert.That(head.Prototypes.Grad, Is.Null);
        Assert.That(Samples.Read(head.Student.Grad!), Is.EqualTo(free[1]));
    }

    [Test]
    public void Gradients_add_to_those_that_are_there_and_views_keep_their_neighbours()
    {
        using var device = on.Open();
        var head = Head.Create(device, 2, 3, 8, 300);
        var options = new PrototypeDistillOptions { LogitsAtOnce = 1 };
        var single = head.Run(options);
        device.Workspace.Reset();
        head = Head.Create(device, 2, 3, 8, 300);
        var wide = Samples.Variable(device, new Shape(6, 11), new float[66]);
        var view = wide.Channels(2, 8);
        view.CopyFrom(Samples.Read(head.Student));
        var tape = new Tape();
        var first = PrototypeDistill.Forward(tape, view, head.Teacher, head.Prototypes, head.TeacherPrototypes, head.Centre, options);
        var second = PrototypeDistill.Forward(tape, view, head.Teacher, head.Prototypes, head.TeacherPrototypes, head.Centre, options);
        tape.Backward(Add.Forward(tape, first, second));
        float[] rows = Samples.Read(view.Grad!), prototypes = Samples.Read(head.Prototypes.Grad!);
        Close.Assert(rows, [.. single[1].Select(g => 2 * g)], 1e-5 * single[1].Max(Math.Abs), "rows");
        Close.Assert(prototypes, [.. single[2].Select(g => 2 * g)], 1e-5 * single[2].Max(Math.Abs), "prototypes");
        float[] all = Samples.Read(wide.Grad!);
        Assert.That(all.Where((_, i) => i % 11 is < 2 or > 9), Is.All.Zero);
    }

    [Test]
    public void The_same_bits_come_again()
    {
        using var device = on.Open();
        var first = Head.Create(device, 3, 4, 17, 300).Run(new PrototypeDistillOptions { LogitsAtOnce = 1 });
        device.Workspace.Reset();
        Assert.That(Head.Create(device, 3, 4, 17, 300).Run(new PrototypeDistillOptions { LogitsAtOnce = 1 }), Is.EqualTo(first));
    }

    [Test]
    public void A_NaN_shows_in_the_loss()
    {
        using var device = on.Open();
        var head = Head.Create(device, 2, 3, 8, 20);
        float[] values = Samples.Read(head.Student);
        values[^1] = float.NaN;
        head.Student.CopyFrom(values);
        Assert.That(head.Run(new PrototypeDistillOptions())[0][0], Is.NaN);
    }

    [Test]
    public void What_does_not_fit_is_named()
    {
        using var device = on.Open(1);
        var rows = Samples.Constant(device, new Shape(6, 4), new float[24]);
        var teacher = Samples.Constant(device, new Shape(4, 4), new float[16]);
        var prototypes = Samples.Constant(device, new Shape(7, 4), new float[28]);
        var centre = Samples.Constant(device, new Shape(7), new float[7]);
        Tensor Run(Tensor student, Tensor other, Tensor c, PrototypeDistillOptions options) =>
            PrototypeDistill.Forward(null, student, other, prototypes, prototypes, c, options);
        Assert.Multiple(() =>
        {
            Assert.That(() => Run(rows.Slice(0, 5), teacher, centre, new()), Throws.TypeOf<ShapeException>());
            Assert.That(() => Run(rows.Slice(0, 2), teacher, centre, new()), Throws.TypeOf<ShapeException>());
            Assert.That(() => Run(rows, teacher.Slice(0, 3), centre, new()), Throws.TypeOf<ShapeException>());
            Assert.That(() => Run(rows, teacher, centre.Slice(0, 6), new()), Throws.TypeOf<ShapeException>().With.Message.Contains("7"));
            Assert.That(() => Run(rows, teacher, centre, new() { TeacherViews = 0 }), Throws.TypeOf<InvalidOptionException>());
            Assert.That(
                () => Run(rows, teacher, centre, new() { TeacherTemperature = 0 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("TeacherTemperature = 0"));
            Assert.That(() => Run(rows, teacher, centre, new() { StudentTemperature = float.NaN }), Throws.TypeOf<InvalidOptionException>());
        });
    }

    private static IEnumerable<TestCaseData> GoldenCases() => Golden.Cases("dino");

    private static float[] UnitVectors(int count)
    {
        float[] values = new float[count * count];
        for (int i = 0; i < count; i++)
        {
            values[(i * count) + i] = 1;
        }

        return values;
    }

    private static (double Loss, double Entropy, double Highest, double[] Means) Reference(
        double[] student, double[] teacher, double[] v, double[] w, double[] centre, int width, int batch, PrototypeDistillOptions options)
    {
        double[][] studentPrototypes = LossReference.UnitRows(v, width), teacherPrototypes = LossReference.UnitRows(w, width);
        var students = Logits(student, studentPrototypes);
        var teachers = Logits(teacher, teacherPrototypes);
        double[] means = [.. centre.Select((_, k) => teachers.Average(row => row[k]))];
        double sum = 0, entropies = 0, highest = 0;
        int terms = 0;
        for (int t = 0; t < teachers.Length; t++)
        {
            double[] q = [.. LogSoftmax([.. teachers[t].Select((x, k) => x - centre[k])], options.TeacherTemperature).Select(Math.Exp)];
            entropies -= q.Sum(p => p > 0 ? p * Math.Log(p) : 0);
            highest += q.Max();
            for (int s = t % batch; s < students.Length; s += batch)
            {
                if (s != t)
                {
                    sum -= LossReference.Dot(q, LogSoftmax(students[s], options.StudentTemperature));
                    terms++;
                }
            }
        }

        return (sum / terms, entropies / teachers.Length, highest / teachers.Length, means);

        double[][] Logits(double[] rows, double[][] prototypes) =>
            [.. rows.Chunk(width).Select(row => prototypes.Select(p => LossReference.Dot(row, p)).ToArray())];

        static double[] LogSoftmax(double[] logits, double temperature)
        {
            double largest = logits.Max() / temperature;
            double log = largest + Math.Log(logits.Sum(x => Math.Exp((x / temperature) - largest)));
            return [.. logits.Select(x => (x / temperature) - log)];
        }
    }

    /// <summary>Random unit rows and prototypes, V = 2.</summary>
    private sealed record Head(Tensor Student, Tensor Teacher, Tensor Prototypes, Tensor TeacherPrototypes, Tensor Centre)
    {
        public static Head Create(Device device, int batch, int views, int width, int prototypes) => new(
            Samples.Variable(device, new Shape(views * batch, width), Unit(1, views * batch, width)),
            Samples.Constant(device, new Shape(2 * batch, width), Unit(2, 2 * batch, width)),
            Samples.Variable(device, new Shape(prototypes, width), Samples.Normal(3, prototypes * width)),
            Samples.Constant(device, new Shape(prototypes, width), Samples.Normal(4, prototypes * width)),
            Samples.Constant(device, new Shape(prototypes), Samples.Normal(5, prototypes, 0.01f)));

        public float[][] Run(PrototypeDistillOptions options, bool readsPrototypes = true)
        {
            var tape = new Tape();
            var loss = PrototypeDistill.Forward(tape, Student, Teacher, Prototypes, TeacherPrototypes, Centre, options, out var statistics);
            tape.Backward(loss);
            return
            [
                Samples.Read(loss), Samples.Read(Student.Grad!), readsPrototypes ? Samples.Read(Prototypes.Grad!) : [],
                Samples.Read(statistics.MeanTeacherLogits), [statistics.TeacherEntropy, statistics.Divergence, statistics.MeanHighestProbability],
            ];
        }

        private static float[] Unit(int seed, int rows, int width) =>
            [.. LossReference.UnitRows(Samples.ToDouble(Samples.Normal(seed, rows * width)), width).SelectMany(row => row).Select(x => (float)x)];
    }
}

/// <summary>What only the CPU side promises.</summary>
public class PrototypeDistillCpuTests
{
    [Test]
    public void Threads_do_not_change_a_bit()
    {
        Assert.That(Run(1), Is.EqualTo(Run(3)));

        static float[][] Run(int threads)
        {
            using var device = new CpuDevice(threads);
            var (tape, student, prototypes, loss) = Step(device);
            tape.Backward(loss);
            return [Samples.Read(loss), Samples.Read(student.Grad!), Samples.Read(prototypes.Grad!)];
        }
    }

    [Test]
    public void A_step_allocates_nothing()
    {
        using var device = new CpuDevice(2);
        var tape = new Tape();
        var set = new ParameterSet(device);
        var student = set.Add("student", new Shape(6 * 4, 32), Initializer.XavierNormal(1, 1));
        var prototypes = set.Add("prototypes", new Shape(600, 32), Initializer.XavierNormal(1, 1));
        set.Allocate(1);
        var centre = device.AllocatePersistent(new Shape(600));
        var options = new PrototypeDistillOptions { LogitsAtOnce = 1 };
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            var teacher = student.Value.Slice(0, 8);
            var loss = PrototypeDistill.Forward(tape, student.Value, teacher, prototypes.Value, prototypes.Value, centre, options, out var statistics);
            PrototypeDistill.UpdateCentre(centre, statistics, 0.9);
            tape.Backward(loss);
        });
    }

    [Test]
    public void Scratch_of_the_published_size_stays_far_below_the_logits()
    {
        using var device = new CpuDevice(1);
        const int batch = 128, prototypes = 8192, width = 16;
        var student = Samples.Variable(device, new Shape(6 * batch, width), Samples.Normal(1, 6 * batch * width));
        var weights = Samples.Variable(device, new Shape(prototypes, width), Samples.Normal(2, prototypes * width));
        var centre = Samples.Constant(device, new Shape(prototypes), new float[prototypes]);
        long before = device.Workspace.UsedBytes;
        var tape = new Tape();
        tape.Backward(PrototypeDistill.Forward(tape, student, student.Slice(0, 2 * batch), weights, weights, centre, new PrototypeDistillOptions()));
        long gradients = 4L * (student.Count + weights.Count);
        Assert.That(device.Workspace.UsedBytes - before - gradients, Is.LessThan(18 << 20));
    }

    private static (Tape Tape, Tensor Student, Tensor Prototypes, Tensor Loss) Step(CpuDevice device)
    {
        var student = Samples.Variable(device, new Shape(35, 19), Samples.Normal(1, 35 * 19));
        var teacher = Samples.Constant(device, new Shape(14, 19), Samples.Normal(2, 14 * 19));
        var prototypes = Samples.Variable(device, new Shape(900, 19), Samples.Normal(3, 900 * 19));
        var centre = Samples.Constant(device, new Shape(900), Samples.Normal(4, 900, 0.1f));
        var tape = new Tape();
        return (tape, student, prototypes, PrototypeDistill.Forward(tape, student, teacher, prototypes, prototypes, centre, new PrototypeDistillOptions { LogitsAtOnce = 1 }));
    }
}
