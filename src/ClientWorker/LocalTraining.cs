using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels;
using FedKSeed.Training;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>
/// Works off assignments: sets a trainer to the base version, of which it copies only what it must, and runs the steps. Holds nothing worth
/// losing: trainers. Safe to call from any thread; as many assignments run at once as there are trainers, the others wait.
/// </summary>
public sealed class LocalTraining(
    BaseModel model, RebuiltVersions versions, WorkerMetrics metrics, TimeProvider time, IOptions<WorkerOptions> options) : IDisposable
{
    private readonly SemaphoreSlim _free = new(options.Value.Parallelism);
    private readonly ConcurrentBag<ZerothOrderTrainer> _idle = [];

    /// <summary>Runs an assignment; yields after every step.</summary>
    /// <param name="version">What the assignment is based on.</param>
    public async IAsyncEnumerable<StepResult> RunAsync(
        SeedsAssigned assignment, ModelVersion version, LocalClient client, [EnumeratorCancellation] CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(assignment);
        ArgumentNullException.ThrowIfNull(client);
        var seeds = PackedIntegers.UnpackUnsigned(
            assignment.Seeds, assignment.Steps, PackedIntegers.BitsForIndexBelow(version.Directions.SeedCount));
        var key = BatchKey(assignment.Assignment, version.Directions.PoolKey);
        var batches = new BatchSchedule(key, client.Sequences.Count, assignment.BatchSize);

        await _free.WaitAsync(cancel);
        var trainer = TakeTrainer(version);
        SharedVersion? read = null;
        try
        {
            read = await Task.Run(() => ResetTo(trainer, version), cancel);
            for (var step = 0; step < seeds.Length; step++)
            {
                var batch = new TokenBatch([.. batches.Indices(step).Select(index => client.Sequences[index])]);
                var seed = seeds[step];
                var began = time.GetTimestamp();
                // A step is one synchronous stretch on one thread: torch's dispose scopes belong to a thread.
                var result = await Task.Run(
                    () => trainer.Step(batch, seed, assignment.Epsilon, assignment.LearningRate, assignment.MaximumScalar), cancel);
                metrics.Stepped(time.GetElapsedTime(began));
                yield return result;
            }
        }
        finally
        {
            read?.LetGo();
            _idle.Add(trainer);
            _free.Release();
        }
    }

    public void Dispose()
    {
        foreach (var trainer in _idle)
            trainer.Dispose();
        _free.Dispose();
    }

    private ZerothOrderTrainer TakeTrainer(ModelVersion version)
    {
        var pool = version.Directions;
        var adapted = model.For(pool);
        while (_idle.TryTake(out var trainer))
        {
            if (trainer.Pool == pool && trainer.Model == adapted)
                return trainer;
            trainer.Dispose();
        }
        return new ZerothOrderTrainer(adapted, pool);
    }

    /// <returns>What the trainer reads from then on, to be let go; null where it copied it.</returns>
    private SharedVersion? ResetTo(ZerothOrderTrainer trainer, ModelVersion version)
    {
        var held = versions.Hold(version);
        try
        {
            trainer.Reset(held.Weights);
            return trainer.SharesVersion ? held.Hold() : null;
        }
        finally
        {
            held.LetGo();
        }
    }

    /// <summary>
    /// Which examples a step sees follows from the assignment alone (SPEC 4), so a second worker that takes it over does the same.
    /// </summary>
    private static ulong BatchKey(AssignmentKey assignment, ulong poolKey)
    {
        var turn = assignment.Turn == 0 ? "" : $"/{assignment.Turn}";
        var name = $"fedkseed/batches/1:{poolKey}:{assignment.Round}:{assignment.Client}{turn}";
        return BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
    }
}
