using System.Globalization;
using System.Text.Json;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels;

namespace FedKSeed.Tests;

/// <summary>A checkpoint of tests/Vectors/models, and what transformers computed with it.</summary>
internal sealed class ReferenceModel(string name)
{
    private readonly JsonElement _expected = Vectors.Json("models", name, "expected.json");

    public string Folder { get; } = Vectors.Path("models", name);
    public double Loss => _expected.GetProperty("loss").GetDouble();
    public double[] LossPerSequence => Doubles(_expected.GetProperty("loss_per_sequence"));
    public int[] GreedyPrompt => Ints(_expected.GetProperty("greedy_prompt"));
    public int[] Greedy => Ints(_expected.GetProperty("greedy"));
    public JsonElement.ArrayEnumerator ZerothOrderCases => _expected.GetProperty("zeroth_order").GetProperty("cases").EnumerateArray();
    public float Epsilon => _expected.GetProperty("zeroth_order").GetProperty("epsilon").GetSingle();

    /// <summary>The largest pool that there is: a seed's direction does not depend on how many others there are.</summary>
    public DirectionSpace Pool => new()
    {
        PoolKey = ulong.Parse(_expected.GetProperty("zeroth_order").GetProperty("pool_key").GetString()!, CultureInfo.InvariantCulture),
        SeedCount = Limits.Seeds,
    };

    public TokenSequence[] Sequences => [.. _expected.GetProperty("input_ids").EnumerateArray().Select(Ints)
        .Zip(_expected.GetProperty("labels").EnumerateArray().Select(Ints), (ids, labels) => new TokenSequence(ids, labels))];

    public TokenBatch Batch => new(Sequences);

    public CausalLanguageModel Load() => CausalLanguageModel.Load(Folder);

    /// <summary>The first 16 logits of each sequence at a position, [row][16].</summary>
    public double[][] Logits(string which) => [.. _expected.GetProperty(which).EnumerateArray().Select(Doubles)];

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];

    private static double[] Doubles(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetDouble())];
}
