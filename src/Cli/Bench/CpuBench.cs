using FedKSeed.Cli.Display;
using FedKSeed.LanguageModels;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Kernels;
using TorchSharp;

namespace FedKSeed.Cli.Bench;

/// <summary>What is to be measured.</summary>
/// <param name="Shape">Of the model.</param>
/// <param name="DataType">What forward passes compute in.</param>
/// <param name="Seeds">K.</param>
/// <param name="Tokens">In the batch of forward and step.</param>
internal sealed record BenchRequest(ModelShape Shape, ComputeType DataType, int Seeds, int Tokens, int Threads);

/// <summary>Measures a shape on this machine's processor; a shape that is too large by a part of its layers.</summary>
internal sealed class CpuBench(BenchRequest request, Screen screen, CancellationToken cancel)
{
    // A step of so many weights takes a core a few seconds.
    private const long WeightsPerCore = 300_000_000;
    private const int BytesPerWeight = sizeof(float);

    private static readonly TimeSpan KernelBudget = TimeSpan.FromSeconds(1), StepBudget = TimeSpan.FromSeconds(2), BaselineBudget = TimeSpan.FromSeconds(0.3);

    private readonly RepeatedTiming _kernels = new(KernelBudget, cancel), _steps = new(StepBudget, cancel), _baselines = new(BaselineBudget, cancel);

    public BenchReport Run()
    {
        torch.set_num_threads(request.Threads);
        var load = Machine.LoadAverage();
        var part = PartThatFits();
        var (rows, copy) = Kernels(out var naive);
        var (forward, step) = Steps(part);
        var shape = request.Shape;
        var scale = (double)shape.MultipliedWeights / part.MultipliedWeights;
        var measured = part == shape ? "all of it" : $"{part.Layers} of {shape.Layers} layers, scaled by {scale:F2}";
        var naivePass = shape.Weights / naive;
        rows.Add(Model("forward", forward * scale, passes: 1, naiveSeconds: null));
        rows.Add(Model("step", step * scale, passes: 2, 2 * forward * scale + (NaiveLoop.PerturbingPasses + 1) * naivePass));
        return new BenchReport(
            Machine.Processor(), KernelPaths.Best.ToString(), request.Threads, load, shape.Name, shape.Weights, request.DataType.Name(),
            request.Seeds, request.Tokens, copy, rows, $"{NaiveLoop.Slice}; {CpuKernels.ScalarSlice}; a naive step is two forward passes and four such passes");

        // A forward pass reads the weights that it multiplies; a step reads and writes all of them, writes w⁺ and w⁻, and reads those.
        BenchRow Model(string operation, double seconds, int passes, double? naiveSeconds)
        {
            double size = request.DataType == ComputeType.F32 ? sizeof(float) : sizeof(ushort);
            var bytes = passes * size * shape.MultipliedWeights + (passes == 1 ? 0 : shape.Weights * (2 * BytesPerWeight + 2 * size));
            return new BenchRow(
                operation, seconds, bytes / seconds, (double)passes * shape.MultipliedWeights * request.Tokens / seconds, bytes / seconds / copy,
                naiveSeconds, null, measured);
        }
    }

    private (List<BenchRow> Rows, double Copy) Kernels(out double naive)
    {
        var kernels = new CpuKernels(request.Threads, request.Seeds, _kernels, _baselines);
        var weights = request.Shape.Weights;
        var copy = screen.During("Copying memory", kernels.Copy);
        var rebuild = screen.During($"Rebuilding with {request.Seeds} seeds", kernels.Rebuild);
        var bothSigns = screen.During("Perturbing", kernels.BothSigns);
        var update = screen.During("Updating", kernels.Update);
        var both = screen.During("Updating and perturbing", kernels.UpdateAndBothSigns);
        var (torchRate, scalar, scalarRebuild) = screen.During(
            "Plain loops", _ => (NaiveLoop.PairsPerSecond(_baselines), kernels.ScalarBothSigns(), kernels.ScalarRebuild()));
        naive = torchRate;
        var slice = $"{CpuKernels.Elements >> 20} Mi elements, scaled";
        var pass = weights / naive;
        List<BenchRow> rows =
        [
            Row("rebuild", rebuild, 2 * TensorType.BF16.Size(), request.Seeds, pass * request.Seeds, scalarRebuild, "256 Ki elements, scaled"),
            Row("perturb, both signs", bothSigns, 12, 1, NaiveLoop.PerturbingPasses * pass, scalar, slice),
            Row("local update", update, 8, 1, pass, scalar / 2, slice),
            Row("update and perturb", both, 16, 2, (NaiveLoop.PerturbingPasses + 1) * pass, 1.5 * scalar, slice),
        ];
        return (rows, copy);

        BenchRow Row(string operation, double seconds, int bytes, int pairs, double naiveSeconds, double scalarSeconds, string measured) =>
            new(operation, seconds * weights, bytes / seconds, pairs / seconds, bytes / seconds / copy, naiveSeconds, scalarSeconds * weights, measured);
    }

    private (double Forward, double Step) Steps(ModelShape part)
    {
        using var synthetic = new SyntheticModel(part, request.DataType);
        var model = synthetic.Model;
        var batch = Batch(part.Vocabulary);
        double forward;
        using (var weights = model.BaseWeights())
        {
            SyntheticModel.Fill(weights);
            forward = screen.During($"Forward pass, {part.Layers} layers", progress => _steps.Best(() => model.Loss(weights, batch), progress));
        }
        using var trainer = new ZerothOrderTrainer(model, new SeedPool(7, request.Seeds, DirectionScheme.PhiloxRademacher));
        SyntheticModel.Fill(trainer.Weights);
        var seed = 0;
        var step = screen.During(
            $"Step, {part.Layers} layers", progress => _steps.Best(() => trainer.Step(batch, seed++ % request.Seeds, 1e-3f, 1e-9), progress));
        return (forward, step);
    }

    /// <summary>As many layers as half of the free memory holds and the cores run in seconds.</summary>
    /// <exception cref="FailureException">Not even one does.</exception>
    private ModelShape PartThatFits()
    {
        var shape = request.Shape;
        // Weights, and both signs of the largest parameter: the embedding, or gate and up together.
        var scratch = 2 * BytesPerWeight * Math.Max((long)shape.Vocabulary * shape.Hidden, 2L * shape.Intermediate * shape.Hidden);
        long logits = 2L * 3 * BytesPerWeight * request.Tokens * shape.Vocabulary;
        var free = Machine.AvailableMemory() / 2;
        long MemoryOf(int layers) => BytesPerWeight * (shape with { Layers = layers }).Weights + scratch + logits;
        bool Fits(int layers) => MemoryOf(layers) <= free && ((shape with { Layers = layers }).Weights <= WeightsPerCore * Environment.ProcessorCount || layers == 1);
        var most = Enumerable.Range(1, shape.Layers).LastOrDefault(Fits);
        return most > 0
            ? shape with { Layers = most }
            : throw new FailureException(
                $"One layer of the shape {shape.Name} takes {Quantity.Bytes(MemoryOf(1))}, and half of the memory that is free is {Quantity.Bytes(free)}: "
                    + "choose a smaller shape.");
    }

    /// <summary>One text whose every token is a label.</summary>
    private TokenBatch Batch(int vocabulary)
    {
        int[] ids = [.. Enumerable.Range(0, request.Tokens + 1).Select(i => (int)(i * 7919L % vocabulary))];
        return new TokenBatch([new TokenSequence(ids, ids)]);
    }
}
