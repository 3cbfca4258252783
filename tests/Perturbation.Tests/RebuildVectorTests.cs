using System.Globalization;
using System.Security.Cryptography;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Tests;

namespace FedKSeed.Perturbation.Tests;

public class RebuildVectorTests
{
    public static TheoryData<string> Models =>
        new(Directory.GetDirectories(Vectors.Path("models")).Select(folder => Path.GetFileName(folder)!).Order());

    [Theory]
    [MemberData(nameof(Models))]
    public void A_rebuilt_model_has_the_known_bytes(string model)
    {
        var expected = Vectors.Json("models", model, "expected.json");
        var rebuild = expected.GetProperty("rebuild");
        int[] quantised = [.. rebuild.GetProperty("quantised").EnumerateArray().Select(q => q.GetInt32())];
        var key = ulong.Parse(rebuild.GetProperty("pool_key").GetString()!, CultureInfo.InvariantCulture);
        var pool = new DirectionSpace { PoolKey = key, SeedCount = quantised.Length };
        var rebuilder = new Rebuilder(pool, quantised, rebuild.GetProperty("shift").GetInt32());
        using var checkpoint = Checkpoint.Open(Vectors.Path("models", model));

        var order = expected.GetProperty("zeroth_order").GetProperty("tensor_order").EnumerateArray().Select(name => name.GetString());
        Assert.Equal(order, checkpoint.Weights.Select(tensor => tensor.Name));
        var digests = checkpoint.Weights.ToDictionary(tensor => tensor.Name, tensor => Digest(rebuilder, tensor));
        Assert.Equal(
            rebuild.GetProperty("sha256").EnumerateObject().ToDictionary(pair => pair.Name, pair => pair.Value.GetString()!), digests);
    }

    private static string Digest(Rebuilder rebuilder, CheckpointTensor tensor)
    {
        var elements = new byte[tensor.ByteCount];
        rebuilder.Rebuild(tensor.Ordinal!.Value, 0, tensor.Type, tensor.Bytes(0, elements.Length), elements, 2);
        return Convert.ToHexStringLower(SHA256.HashData(elements));
    }
}
