using System.Runtime.CompilerServices;
using BenchmarkDotNet.Attributes;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Training;
using TorchSharp;

namespace FedKSeed.LanguageModels.Benchmarks;

/// <summary>
/// A zeroth-order step on the sample model against two plain forward passes of the same batch, the least that any method
/// with two losses a step can do: on one torch thread, the batch size of the sample's federation.
/// </summary>
public class StepBenchmarks : IDisposable
{
    private const float Epsilon = 1e-3f;
    private const double LearningRate = 1e-6;

    private CausalLanguageModel _model = null!;
    private ModelWeights _weights = null!;
    private ZerothOrderTrainer _trainer = null!;
    private TokenBatch _batch = null!;
    private int _seed;

    [Params(16)]
    public int BatchSize { get; set; }

    [GlobalSetup]
    public void Load()
    {
        torch.set_num_threads(1);
        var samples = Samples();
        _model = CausalLanguageModel.Load(Path.Combine(samples, "model"));
        _weights = _model.BaseWeights();
        _trainer = new ZerothOrderTrainer(_model, new DirectionSpace { PoolKey = 0x9E37_79B9_7F4A_7C15, SeedCount = 4096 });
        var template = PromptTemplate.Load(Path.Combine(samples, "prompt.json"));
        ExampleEncoder encoder = new(_model.LoadTokenizer(), template, _model.MaxLength);
        var examples = DataFile.Load(Path.Combine(samples, "data", "client-1.jsonl"));
        _batch = new TokenBatch([.. encoder.Encode(examples).Sequences.Take(BatchSize)]);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _trainer.Dispose();
        _weights.Dispose();
        _model.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true)]
    public double Two_forward_passes() => _model.Loss(_weights, _batch) + _model.Loss(_weights, _batch);

    [Benchmark]
    public StepResult Zeroth_order_step() => _trainer.Step(_batch, _seed++ % 4096, Epsilon, LearningRate);

    private static string Samples([CallerFilePath] string thisFile = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "../../samples"));
}
