using System.Globalization;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Training.Tests;

/// <summary>What trainers hold, as the kernel counts it. Nothing else may run meanwhile.</summary>
[CollectionDefinition(nameof(MemoryOfTrainersTests), DisableParallelization = true)]
[Collection(nameof(MemoryOfTrainersTests))]
public class MemoryOfTrainersTests(ITestOutputHelper output)
{
    private const int Trainers = 64;
    private static readonly ModelShape Shape = new("100m", Hidden: 768, Intermediate: 2048, Layers: 12, Heads: 12, Vocabulary: 8000);
    private static readonly ModelShape Small = new("small", Hidden: 64, Intermediate: 128, Layers: 1, Heads: 2, Vocabulary: 100);

    [Theory]
    [InlineData(ComputeType.F32)]
    [InlineData(ComputeType.BF16)]
    public void Sixty_four_trainers_of_low_rank_take_the_memory_of_one(ComputeType type)
    {
        using SyntheticModel synthetic = new(Shape, type);
        var pool = PoolOf(synthetic.Model);
        using var version = synthetic.Model.BaseWeights();
        var trainers = new List<ZerothOrderTrainer>();
        void AddOne()
        {
            var trainer = new ZerothOrderTrainer(synthetic.Model, pool);
            trainers.Add(trainer);
            trainer.Reset(version);
            Run(trainer, steps: 1);
        }

        try
        {
            AddOne();
            var one = Resident();
            while (trainers.Count < Trainers)
                AddOne();
            var all = Resident();
            output.WriteLine($"{type.Name()}: one {Megabytes(one)}, {Trainers} {Megabytes(all)}");
            Assert.True(all <= 1.05 * one, $"{type.Name()}: one trainer {Megabytes(one)}, {Trainers} {Megabytes(all)}.");
        }
        finally
        {
            trainers.ForEach(trainer => trainer.Dispose());
        }
    }

    [Theory]
    [InlineData(ComputeType.F32)]
    [InlineData(ComputeType.BF16)]
    public void A_version_is_rebuilt_and_tuned_within_little_more_than_its_weights(ComputeType type)
    {
        Tune(Small, type); // what an idle process has: the code of both libraries, and their buffers
        using SyntheticModel synthetic = new(Shape, type);
        var idle = Resident();
        ForgetPeak();
        var weights = Tune(synthetic.Model);
        var peak = Peak();
        output.WriteLine($"{type.Name()}: idle {Megabytes(idle)}, peak {Megabytes(peak)}, weights {Megabytes(weights)}");
        Assert.True(
            peak - idle <= 1.15 * weights,
            $"{type.Name()}: weights {Megabytes(weights)}, beyond the idle process's {Megabytes(idle)} it took {Megabytes(peak - idle)}.");
    }

    private static void Tune(ModelShape shape, ComputeType type)
    {
        using SyntheticModel synthetic = new(shape, type);
        _ = Tune(synthetic.Model);
    }

    /// <summary>Rebuilds a version and takes some steps from it.</summary>
    /// <returns>The bytes of its weights.</returns>
    private static long Tune(CausalLanguageModel model)
    {
        var pool = PoolOf(model);
        using var version = model.Rebuild(new Rebuilder(pool, [3, -2, .. new int[pool.SeedCount - 2]], shift: 10));
        using ZerothOrderTrainer trainer = new(model, pool);
        trainer.Reset(version);
        Run(trainer, steps: 4);
        return version.Buffer.Length * version.Type.Size();
    }

    private static void Run(ZerothOrderTrainer trainer, int steps)
    {
        int[] ids = [.. Enumerable.Range(1, 8)];
        var batch = new TokenBatch([new TokenSequence(ids, ids)]);
        for (var seed = 0; seed < steps; seed++)
            _ = trainer.Step(batch, seed, epsilon: 1e-3f, learningRate: 1e-4);
    }

    private static DirectionSpace PoolOf(CausalLanguageModel model) =>
        new DirectionSpace { Scheme = DirectionSchemes.LowRank }.Resolve(model.Checkpoint);

    private static long Resident()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        return Environment.WorkingSet;
    }

    /// <summary>The most that was resident since <see cref="ForgetPeak"/>.</summary>
    private static long Peak()
    {
        const string name = "VmHWM:";
        var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) << 10;
    }

    private static void ForgetPeak() => File.WriteAllText("/proc/self/clear_refs", "5");

    private static string Megabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:f1} MB");
}
