using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Architectures;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;

namespace FedKSeed.Training.Tests;

public sealed class ArchitectureSeamTests : IDisposable
{
    private const int Words = 7, Width = 5, Longest = 12;
    private const float Epsilon = 0.01f;

    private static readonly DirectionSpace Pool = new() { PoolKey = 3, SeedCount = 64 };
    private static readonly TokenSequence[] Sequences = [new([1, 4, 2, 6], [1, 4, 2, 6]), new([3, 0], [-100, 0])];

    private readonly CheckpointFolder _folder = new();
    private readonly CausalLanguageModel _model;

    static ArchitectureSeamTests() => ArchitectureCatalogue.Register(BroughtArchitecture.ModelType, BroughtArchitecture.Read);

    public ArchitectureSeamTests()
    {
        Write(BroughtArchitecture.ModelType);
        _model = CausalLanguageModel.Load(_folder.Path);
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void A_step_of_an_architecture_from_elsewhere_is_that_of_its_formula()
    {
        using ZerothOrderTrainer trainer = new(_model, Pool);
        var start = _model.Checkpoint.Weights.ToDictionary(tensor => tensor.Name, tensor => tensor.ToArray());
        var step = trainer.Step(new TokenBatch(Sequences), seed: 11, Epsilon, learningRate: 0.1);
        (var plus, var minus) = (Loss(Moved(start, 11, Epsilon)), Loss(Moved(start, 11, -Epsilon)));
        Assert.Equal(plus, step.LossPlus, 1e-5);
        Assert.Equal(minus, step.LossMinus, 1e-5);
        Assert.True(Math.Abs(plus - minus) > 1e-3, "The two signs are too near to tell a mistake.");
        var moved = Moved(start, 11, (float)(-0.1 * step.Scalar!.Value));
        Assert.All(moved, tensor => Assert.Equal(tensor.Value, trainer.Weights.Read(tensor.Key)));
    }

    [Fact]
    public void It_writes_what_its_formula_thinks_most_likely()
    {
        using var weights = _model.BaseWeights();
        var written = _model.Generate(weights, [[1], [5, 2]], maxNewTokens: 3, [], TestContext.Current.CancellationToken);
        var values = _model.Checkpoint.Weights.ToDictionary(tensor => tensor.Name, tensor => tensor.ToArray());
        Assert.Equal([Continue(values, 1), Continue(values, 2)], written);
    }

    [Fact]
    public void A_name_is_given_once_and_one_that_nobody_gave_is_refused_with_those_there_are()
    {
        Assert.Throws<ArgumentException>(() => ArchitectureCatalogue.Register("llama", BroughtArchitecture.Read));
        Write("tests-nobodys");
        var message = Assert.Throws<InvalidDataException>(() => CausalLanguageModel.Load(_folder.Path)).Message;
        Assert.Contains("tests-nobodys", message, StringComparison.Ordinal);
        Assert.Contains(BroughtArchitecture.ModelType, message, StringComparison.Ordinal);
    }

    private static Dictionary<string, float[]> Moved(Dictionary<string, float[]> weights, int seed, float step)
    {
        string[] byOrdinal = [.. weights.Keys.Order(StringComparer.Ordinal)];
        return weights.ToDictionary(tensor => tensor.Key, tensor =>
        {
            var direction = Pool.Direction(seed, Array.IndexOf(byOrdinal, tensor.Key));
            return tensor.Value.Select((weight, i) => weight + step * direction.Value(i)).ToArray();
        });
    }

    // Cross-entropy of the next token by the last one, over all labels.
    private static double Loss(Dictionary<string, float[]> weights) => Sequences
        .SelectMany(sequence => sequence.Ids.Zip(sequence.Labels.Skip(1)))
        .Average(pair =>
        {
            var logits = Logits(weights, pair.First);
            return Math.Log(logits.Sum(Math.Exp)) - logits[pair.Second];
        });

    private static double[] Logits(Dictionary<string, float[]> weights, int token)
    {
        double[] e = [.. Enumerable.Range(0, Width).Select(i => (double)weights["tiny.embedding"][token * Width + i])];
        double[] h = [.. e.Select((own, i) => own + Row(weights["tiny.weight"], i, e) + weights["tiny.bias"][i])];
        return [.. Enumerable.Range(0, Words).Select(word => Row(weights["head"], word, h))];
    }

    private static double Row(float[] matrix, int row, double[] x) => x.Select((value, i) => matrix[row * Width + i] * value).Sum();

    private static int[] Continue(Dictionary<string, float[]> weights, int token)
    {
        var text = new int[3];
        for (var i = 0; i < text.Length; i++)
        {
            var logits = Logits(weights, token);
            text[i] = token = Array.IndexOf(logits, logits.Max());
        }
        return text;
    }

    private void Write(string modelType)
    {
        var config = JsonSerializer.Serialize(new { model_type = modelType, words = Words, width = Width, longest = Longest });
        _folder.WithBytes(Encoding.UTF8.GetBytes(config), ModelConfig.FileName);
        (string Name, int[] Shape)[] tensors =
            [("head", [Words, Width]), ("tiny.bias", [Width]), ("tiny.embedding", [Words, Width]), ("tiny.weight", [Width, Width])];
        Random random = new(5);
        List<byte> data = [];
        Dictionary<string, object> header = [];
        foreach ((var name, var shape) in tensors)
        {
            var begin = data.Count;
            float[] values = [.. Enumerable.Range(0, shape.Aggregate((a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)];
            data.AddRange(MemoryMarshal.AsBytes<float>(values));
            header[name] = new { dtype = "F32", shape, data_offsets = new[] { begin, data.Count } };
        }
        var text = JsonSerializer.SerializeToUtf8Bytes(header);
        _folder.WithBytes([.. BitConverter.GetBytes((ulong)text.Length), .. text, .. data]);
    }
}
