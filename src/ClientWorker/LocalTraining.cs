using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels;
using FedKSeed.Training;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>
/// Works off assignments of every federation: sets a trainer to the base version, of which it copies only what it must, and runs the steps.
/// Holds nothing worth losing: trainers. Safe to call from any thread; as many assignments run at once as there may be trainers, whichever
/// federations they are of, and the others wait.
/// </summary>
public sealed class LocalTraining(WorkerMetrics metrics, TimeProvider time, IOptions<WorkerOptions> options) : IDisposable
{
    private readonly SemaphoreSlim _free = new(options.Value.Parallelism);
    private readonly Lock _lock = new();
    private readonly List<ZerothOrderTrainer> _idle = [];
    private int _busy;

    /// <summary>How many there are.</summary>
    internal int Trainers
    {
        get
        {
            lock (_lock)
                return _idle.Count + _busy;
        }
    }

    /// <summary>Runs an assignment; yields after every step.</summary>
    /// <param name="version">What the assignment is based on.</param>
    /// <param name="membership">In the assignment's federation.</param>
    public async IAsyncEnumerable<StepResult> RunAsync(
        SeedsAssigned assignment, ModelVersion version, Membership membership, LocalClient client,
        [EnumeratorCancellation] CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(assignment);
        ArgumentNullException.ThrowIfNull(membership);
        ArgumentNullException.ThrowIfNull(client);
        var seeds = PackedIntegers.UnpackUnsigned(
            assignment.Seeds, assignment.Steps, PackedIntegers.BitsForIndexBelow(version.Directions.SeedCount));
        var key = BatchKey(assignment.Assignment, version.Directions.PoolKey);
        var batches = new BatchSchedule(key, client.Sequences.Count, assignment.BatchSize);

        var model = membership.Model.For(version.Directions);
        await _free.WaitAsync(cancel);
        var trainer = TakeIdle(model, version.Directions);
        SharedVersion? read = null;
        try
        {
            trainer ??= new ZerothOrderTrainer(model, version.Directions);
            read = await Task.Run(() => ResetTo(trainer, membership.Rebuilt, version), cancel);
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
            GiveBack(trainer);
            _free.Release();
        }
    }

    public void Dispose()
    {
        foreach (var trainer in _idle)
            trainer.Dispose();
        _free.Dispose();
    }

    /// <summary>
    /// One of this model and pool; null where none is idle, and there is room for another one. There are never more trainers than
    /// assignments may run at once: where another federation's are idle, the one that was so longest goes.
    /// </summary>
    private ZerothOrderTrainer? TakeIdle(CausalLanguageModel model, DirectionSpace pool)
    {
        lock (_lock)
        {
            var at = _idle.FindLastIndex(trainer => trainer.Pool == pool && trainer.Model == model);
            var found = at < 0 ? null : _idle[at];
            if (found is not null)
            {
                _idle.RemoveAt(at);
            }
            else if (_idle.Count > 0 && _idle.Count + _busy == options.Value.Parallelism)
            {
                _idle[0].Dispose();
                _idle.RemoveAt(0);
            }
            _busy++;
            return found;
        }
    }

    private void GiveBack(ZerothOrderTrainer? trainer)
    {
        lock (_lock)
        {
            if (trainer is not null)
                _idle.Add(trainer);
            _busy--;
        }
    }

    /// <returns>What the trainer reads from then on, to be let go; null where it copied it.</returns>
    private static SharedVersion? ResetTo(ZerothOrderTrainer trainer, RebuiltVersions versions, ModelVersion version)
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
