using System.Globalization;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Training;
using TorchSharp;

namespace FedKSeed.Bench;

/// <summary>What is to be measured.</summary>
/// <param name="Shape">Of the model.</param>
/// <param name="DataType">What forward passes compute in.</param>
/// <param name="Seeds">K.</param>
/// <param name="Tokens">In the batch of forward and step.</param>
/// <param name="Threads">Of the processor.</param>
/// <param name="Budget">Time for each measurement, about.</param>
public sealed record BenchRequest(ModelShape Shape, ComputeType DataType, int Seeds, int Tokens, int Threads, TimeSpan Budget);

/// <summary>Measures a shape on this machine's processor or a card; a shape that is too large by a part of its layers.</summary>
public sealed class ShapeBench(BenchRequest request, ModelDevice device, Stage stage, CancellationToken cancel)
{
    // A step of so many weights takes a core a few seconds.
    private const long WeightsPerCore = 300_000_000;
    // The last steps of assignments of the default federation, of 100 and of the paper's 200: they carry the moves of those before.
    private static readonly int[] MovesBehind = [24, 99, 199];

    private const int NaiveElementsOnCpu = 1 << 20, NaiveElementsOnCard = 1 << 27;

    private readonly RepeatedTiming _kernelTiming = new(request.Budget, cancel), _steps = new(2 * request.Budget, cancel);
    private readonly RepeatedTiming _baselines = new(request.Budget / 3, cancel); // of plain loops, which need less care
    private readonly bool _isOnCpu = device.Torch.type == DeviceType.CPU;

    public BenchReport Run()
    {
        torch.set_num_threads(request.Threads);
        var load = Machine.LoadAverage();
        using IMeasuredKernels kernels = _isOnCpu
            ? new CpuKernels(request.Threads, request.Seeds, _kernelTiming, _baselines)
            : new CudaKernels(device.Torch, TorchLibrary.Folders, request.Seeds, _kernelTiming);
        var copy = stage.During("Copying memory", kernels.Copy);
        var naive = stage.During("The loop of the reference", _ => NaiveLoop.PairsPerSecond(_baselines, device.Torch, NaiveElements));
        var rows = KernelRows(kernels, copy, request.Shape.Weights / naive);
        rows.AddRange(ModelRows(kernels, copy, request.Shape.Weights / naive));
        var slices = NaiveLoop.Slice(NaiveElements) + (kernels is CpuKernels ? $"; {CpuKernels.ScalarSlice}" : "");
        return new BenchReport(
            _isOnCpu ? Machine.Processor() : device.Name, kernels.Path, request.Threads, load, request.Shape.Name, request.Shape.Weights,
            request.DataType.Name(), request.Seeds,
            request.Tokens, copy, rows, $"{slices}; a naive step is two forward passes and four such passes");
    }

    private int NaiveElements => _isOnCpu ? NaiveElementsOnCpu : NaiveElementsOnCard;

    /// <param name="naivePass">Seconds in which the reference's loop goes over all weights with one seed.</param>
    private List<BenchRow> KernelRows(IMeasuredKernels kernels, double copy, double naivePass)
    {
        var (weight, perturbed) = (kernels.BytesPerWeight, 2 * kernels.BytesPerPerturbedWeight);
        var rebuild = stage.During($"Rebuilding with {request.Seeds} seeds", kernels.Rebuild);
        var rebuildRankOne = stage.During($"Rebuilding rank one with {request.Seeds} seeds", kernels.RebuildRankOne);
        var bothSigns = stage.During("Perturbing", kernels.BothSigns);
        var update = stage.During("Updating", kernels.Update);
        var both = stage.During("Updating and perturbing", kernels.UpdateAndBothSigns);
        var (scalar, scalarRebuild) = kernels is CpuKernels cpu
            ? stage.During<(double?, double?)>("Plain loops", _ => (cpu.ScalarBothSigns(), cpu.ScalarRebuild()))
            : (null, null);
        return
        [
            Row(
                "rebuild", rebuild, 2 * TensorType.BF16.Size(), request.Seeds, naivePass * request.Seeds, scalarRebuild,
                kernels.RebuildSlice),
            Row(
                "rebuild, rank one", rebuildRankOne, 2 * TensorType.BF16.Size(), request.Seeds, naivePass * request.Seeds, null,
                kernels.RebuildSlice),
            Row(
                "perturb, both signs", bothSigns, weight + perturbed, 1, NaiveLoop.PerturbingPasses * naivePass, scalar,
                kernels.PerturbSlice),
            Row("local update", update, 2 * weight, 1, naivePass, scalar / 2, kernels.PerturbSlice),
            Row(
                "update and perturb", both, 2 * weight + perturbed, 2, (NaiveLoop.PerturbingPasses + 1) * naivePass, 1.5 * scalar,
                kernels.PerturbSlice),
        ];

        BenchRow Row(string operation, double seconds, int bytes, int pairs, double naiveSeconds, double? scalarSeconds, string measured) =>
            new(operation, seconds * request.Shape.Weights, bytes / seconds, pairs / seconds, bytes / seconds / copy, naiveSeconds,
                scalarSeconds * request.Shape.Weights, measured);
    }

    private BenchRow[] ModelRows(IMeasuredKernels kernels, double copy, double naivePass)
    {
        var shape = request.Shape;
        var part = PartThatFits();
        var scale = (double)shape.MultipliedWeights / part.MultipliedWeights;
        var measured = part == shape ? "all of it" : $"{part.Layers} of {shape.Layers} layers, scaled by {scale:F2}";
        var before = kernels.MemoryTaken;
        var (forward, bothForward, rankOne, rankOneMemory, step, memory) = Steps(part, kernels);
        double size = request.DataType == ComputeType.F32 ? sizeof(float) : sizeof(ushort);
        // A forward pass reads the weights that it multiplies; a step reads and writes all of them, writes w⁺ and w⁻, and reads those.
        var stepBytes = shape.Weights * (2 * kernels.BytesPerWeight + 2 * size) + 2 * size * shape.MultipliedWeights;
        // Along products of signs weights are neither written nor moved.
        var rankOneBytes = size * shape.MultipliedWeights;
        BenchRow[] ofProducts = [.. MovesBehind.Zip(rankOne, (moves, seconds) =>
            Row($"step, rank one, {moves} moves behind", seconds * scale, rankOneBytes, passes: 2, naiveSeconds: null, rankOneMemory))];
        return
        [
            Row("forward", forward * scale, size * shape.MultipliedWeights, passes: 1, naiveSeconds: null),
            Row("step", step * scale, stepBytes, passes: 2, 2 * forward * scale + (NaiveLoop.PerturbingPasses + 1) * naivePass, memory),
            Row("forward, twice the tokens", bothForward * scale, rankOneBytes, passes: 2, naiveSeconds: null),
            .. ofProducts,
        ];

        BenchRow Row(string operation, double seconds, double bytes, int passes, double? naiveSeconds, long? taken = null) => new(
            operation, seconds, bytes / seconds, (double)passes * shape.MultipliedWeights * request.Tokens / seconds,
            bytes / seconds / copy, naiveSeconds, null,
            taken is { } after ? $"{measured}; it took {Gigabytes(after - before!.Value)} of the card's memory" : measured);
    }

    /// <returns>RankOne has one for each of <see cref="MovesBehind"/>; memory is what of a card was taken when they were done.</returns>
    private (double Forward, double BothForward, double[] RankOne, long? RankOneMemory, double Step, long? Memory) Steps(
        ModelShape part, IMeasuredKernels kernels)
    {
        using var synthetic = new SyntheticModel(part, request.DataType, device);
        var model = synthetic.Model;
        var batch = Batch(part.Vocabulary);
        double forward, bothForward;
        double[] rankOne;
        long? rankOneMemory;
        ZerothOrderTrainer trainer;
        using (var weights = model.BaseWeights())
        {
            SyntheticModel.Fill(weights);
            forward = stage.During(
                $"Forward pass, {part.Layers} layers", progress => _steps.Best(() => model.Loss(weights, batch), progress));
            var twice = new TokenBatch([.. Enumerable.Repeat(Sequence(part.Vocabulary), 2)]);
            bothForward = stage.During(
                $"Forward pass of twice the tokens, {part.Layers} layers",
                progress => _steps.Best(() => model.Loss(weights, twice), progress));
            rankOne = RankOneSteps(model, weights, batch, part);
            rankOneMemory = kernels.MemoryTaken; // torch keeps what it had at most
            trainer = new ZerothOrderTrainer(model, new DirectionSpace { PoolKey = 7, SeedCount = request.Seeds });
            trainer.Reset(weights);
        }
        using (trainer)
        {
            var seed = 0;
            var step = stage.During(
                $"Step, {part.Layers} layers",
                progress => _steps.Best(() => trainer.Step(batch, seed++ % request.Seeds, 1e-3f, 1e-9), progress));
            return (forward, bothForward, rankOne, rankOneMemory, step, kernels.MemoryTaken);
        }
    }

    private double[] RankOneSteps(CausalLanguageModel model, ModelWeights weights, TokenBatch batch, ModelShape part)
    {
        var pool = new DirectionSpace { PoolKey = 7, SeedCount = request.Seeds, Scheme = DirectionSchemes.LowRank };
        using var trainer = new ZerothOrderTrainer(model, pool.Resolve(model.Checkpoint));
        trainer.Reset(weights);
        var (seed, moved) = (0, 0);
        return [.. MovesBehind.Select(moves =>
        {
            for (; moved < moves; moved++)
                trainer.Move(moved % request.Seeds, 1, 1e-9);
            return stage.During(
                $"Step of rank one, {moves} moves behind, {part.Layers} layers",
                progress => _steps.Best(() => trainer.Probe(batch, seed++ % request.Seeds, 1e-3f), progress));
        })];
    }

    /// <summary>As many layers as half of the memory holds and, on the processor, the cores run in seconds.</summary>
    /// <exception cref="BenchException">Not even one does.</exception>
    private ModelShape PartThatFits()
    {
        var shape = request.Shape;
        var size = _isOnCpu ? sizeof(float) : request.DataType == ComputeType.F32 ? sizeof(float) : sizeof(ushort);
        // Weights, and both signs of the largest parameter: the embedding, or gate and up together.
        var scratch = 2L * size * Math.Max((long)shape.Vocabulary * shape.Hidden, 2L * shape.Intermediate * shape.Hidden);
        var logits = 2L * 3 * sizeof(float) * request.Tokens * shape.Vocabulary;
        var free = (_isOnCpu ? Machine.AvailableMemory() : CudaDriver.Cards()[device.Torch.index].MemoryBytes) / 2;
        long MemoryOf(int layers) => size * (shape with { Layers = layers }).Weights + scratch + logits;
        bool IsQuick(int layers) =>
            !_isOnCpu || layers == 1 || (shape with { Layers = layers }).Weights <= WeightsPerCore * Environment.ProcessorCount;
        var most = Enumerable.Range(1, shape.Layers).LastOrDefault(layers => MemoryOf(layers) <= free && IsQuick(layers));
        return most > 0
            ? shape with { Layers = most }
            : throw new BenchException(
                $"One layer of the shape {shape.Name} takes {Gigabytes(MemoryOf(1))}, and half of the memory is "
                    + $"{Gigabytes(free)}: choose a smaller shape.");
    }

    private static string Gigabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:F1} GB");

    /// <summary>One text whose every token is a label.</summary>
    private TokenBatch Batch(int vocabulary) => new([Sequence(vocabulary)]);

    private TokenSequence Sequence(int vocabulary)
    {
        int[] ids = [.. Enumerable.Range(0, request.Tokens + 1).Select(i => (int)(i * 7919L % vocabulary))];
        return new TokenSequence(ids, ids);
    }
}
