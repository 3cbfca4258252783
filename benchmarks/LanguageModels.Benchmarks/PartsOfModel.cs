using System.Diagnostics;
using System.Globalization;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Training;
using TorchSharp;

namespace FedKSeed.LanguageModels.Benchmarks;

/// <summary>
/// What it saves to tune a part of a model only: time of a rebuild, of perturbing, of a step, beside the share of the weights that is
/// tuned. The parts take turns, and the best of each counts, so that what else the machine does disturbs all of them alike.
/// </summary>
internal static class PartsOfModel
{
    private const int Seeds = 4096, Tokens = 64, Turns = 5;
    private static readonly ModelShape Shape = new("350m", Hidden: 1024, Intermediate: 2816, Layers: 24, Heads: 16, Vocabulary: 16_000);
    private static readonly string[] Parts = ["all", "mlp", "attention", "query-value", "layers:-12", "layers:-6", "head", "norm"];

    private sealed record Measured(string Part, double Share)
    {
        public double Rebuild { get; set; } = double.PositiveInfinity;
        public double Perturb { get; set; } = double.PositiveInfinity;
        public double Step { get; set; } = double.PositiveInfinity;
        public double RankOneStep { get; set; } = double.PositiveInfinity;
    }

    public static int Measure(string[] threads)
    {
        torch.set_num_threads(threads is [var count] ? int.Parse(count, CultureInfo.InvariantCulture) : Environment.ProcessorCount);
        using SyntheticModel synthetic = new(Shape);
        using var version = synthetic.Model.BaseWeights();
        SyntheticModel.Fill(version);
        Measured[] all = [.. Parts.Select(part => new Measured(part, ShareOf(synthetic.Model, Space(synthetic.Model, part, rank: 0))))];
        for (var turn = 0; turn < Turns; turn++)
            foreach (var measured in all)
                Take(measured, synthetic.Model, version);
        Console.WriteLine(
            "| tuned | share of the weights | rebuild | of all | perturb and move | of all | step | of all | step, rank 1 | of all |");
        Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var one in all)
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {one.Part} | {one.Share:P1} | {Cells(one, by => by.Rebuild)} | {Cells(one, by => by.Perturb)} | "
                    + $"{Cells(one, by => by.Step)} | {Cells(one, by => by.RankOneStep)} |"));
        return 0;

        string Cells(Measured one, Func<Measured, double> by) =>
            string.Create(CultureInfo.InvariantCulture, $"{by(one) * 1000:f0} ms | {by(one) / by(all[0]):P1}");
    }

    private static void Take(Measured measured, CausalLanguageModel model, ModelWeights version)
    {
        var space = Space(model, measured.Part, rank: 0);
        Rebuilder rebuilder = new(space, [.. Enumerable.Range(0, Seeds).Select(seed => seed % 200 - 100)], 20);
        // The rebuild alone, not the reading of the base that every version takes: of tensors that are there.
        measured.Rebuild = Math.Min(measured.Rebuild, Seconds(() => RebuildTuned(model, space, rebuilder, version)));
        measured.Perturb = Math.Min(measured.Perturb, Seconds(() => PerturbTuned(model, space, version)));
        measured.Step = Math.Min(measured.Step, StepSeconds(model, space, version));
        measured.RankOneStep = Math.Min(measured.RankOneStep, StepSeconds(model, Space(model, measured.Part, rank: 1), version));
    }

    private static void RebuildTuned(CausalLanguageModel model, DirectionSpace space, Rebuilder rebuilder, ModelWeights version)
    {
        var target = new float[1 << 20];
        foreach (var tensor in Tensors(model))
        {
            if (space.Directed(tensor.Ordinal, tensor.Source.Columns) is null)
                continue;
            for (long first = 0; first < tensor.Count; first += target.Length)
            {
                var count = (int)Math.Min(target.Length, tensor.Count - first);
                rebuilder.Rebuild(
                    tensor.Ordinal, first, version.Buffer.Floats(tensor.Offset + first, count), target.AsSpan(0, count),
                    torch.get_num_threads(), tensor.Source.Columns);
            }
        }
    }

    private static void PerturbTuned(CausalLanguageModel model, DirectionSpace space, ModelWeights version)
    {
        float[] plus = new float[1 << 22], minus = new float[1 << 22];
        foreach (var tensor in Tensors(model))
        {
            var direction = space.Direction(0, tensor.Ordinal, tensor.Source.Columns);
            for (long first = 0; first < tensor.Count && !direction.IsFrozen; first += plus.Length)
            {
                var count = (int)Math.Min(plus.Length, tensor.Count - first);
                Perturbation.Perturb.AdvanceThenBothSigns(
                    direction, 0, direction, 1e-3f, first, version.Buffer.Floats(tensor.Offset + first, count), plus.AsSpan(0, count),
                    minus.AsSpan(0, count), torch.get_num_threads());
            }
        }
    }

    private static double StepSeconds(CausalLanguageModel model, DirectionSpace space, ModelWeights version)
    {
        using ZerothOrderTrainer trainer = new(model, space);
        trainer.Reset(version);
        int[] ids = [.. Enumerable.Range(0, Tokens + 1).Select(i => (int)(i * 7919L % Shape.Vocabulary))];
        TokenBatch batch = new([new TokenSequence(ids, ids)]);
        trainer.Step(batch, 0, 1e-3f, 1e-9);
        return Seconds(() => trainer.Step(batch, 1, 1e-3f, 1e-9));
    }

    private static IEnumerable<PlacedTensor> Tensors(CausalLanguageModel model) =>
        model.Decoder.Layout.Parameters.SelectMany(parameter => model.Decoder.Layout.Tensors(parameter).ToArray());

    private static double ShareOf(CausalLanguageModel model, DirectionSpace space) => (double)Tensors(model)
        .Where(tensor => space.Directed(tensor.Ordinal, tensor.Source.Columns) is not null).Sum(tensor => tensor.Count)
            / model.Checkpoint.WeightCount;

    private static DirectionSpace Space(CausalLanguageModel model, string part, int rank) => new DirectionSpace
    {
        SeedCount = Seeds,
        Scheme = rank == 0 ? DirectionSchemes.Rademacher : DirectionSchemes.LowRank,
        Trainable = [new TensorGroup { Tensors = [part], Rank = rank }],
    }.Resolve(model.Checkpoint);

    private static double Seconds(Action action)
    {
        var begun = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }
}
