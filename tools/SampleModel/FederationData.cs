using System.Text.Json;
using System.Text.Json.Serialization;

namespace FedKSeed.SampleModel;

/// <summary>
/// The sample federation's data. Every client has its own mix of the tasks, drawn from a Dirichlet distribution, and as
/// many examples as are left of its draws once repeats are out. Half of each task's inputs are kept for the held-out file, so none of them
/// is at any client.
/// </summary>
internal sealed record FederationData(IReadOnlyList<IReadOnlyList<Example>> Clients, IReadOnlyList<Example> HeldOut)
{
    public static FederationData Draw(FederationDataOptions options)
    {
        var random = new Random(options.Seed);
        List<Example[]> training = [], heldOut = [];
        foreach (var task in ClientTasks.All)
        {
            Example[] examples = [.. task.Examples()];
            random.Shuffle(examples);
            heldOut.Add(examples[..options.HeldOutPerTask]);
            training.Add(examples[options.HeldOutPerTask..]);
        }
        Example[][] clients = [.. Enumerable.Range(0, options.Clients).Select(_ => DrawClient(random, training, options))];
        return new FederationData(clients, [.. heldOut.SelectMany(examples => examples)]);
    }

    public void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        for (var client = 0; client < Clients.Count; client++) Write(Path.Combine(folder, $"client-{client + 1}.jsonl"), Clients[client]);
        Write(Path.Combine(folder, "held-out.jsonl"), HeldOut);
    }

    private static void Write(string path, IEnumerable<Example> examples) =>
        File.WriteAllText(
            path, string.Concat(examples.Select(example => JsonSerializer.Serialize(example, ExampleJson.Default.Example) + "\n")));

    private static Example[] DrawClient(Random random, List<Example[]> tasks, FederationDataOptions options)
    {
        var shares = Dirichlet(random, tasks.Count, options.Concentration);
        return [.. Enumerable.Range(0, options.DrawsPerClient).Select(_ => random.Pick(tasks[Choose(random, shares)])).Distinct()];
    }

    /// <summary>Shares that add up to one; the smaller the concentration, the more unequal.</summary>
    private static double[] Dirichlet(Random random, int count, double concentration)
    {
        double[] shares = [.. Enumerable.Range(0, count).Select(_ => Gamma(random, concentration))];
        var sum = shares.Sum();
        return [.. shares.Select(share => share / sum)];
    }

    /// <summary>Gamma(shape, 1), by Marsaglia and Tsang (2000); a shape under 1 is raised by 1 and scaled back.</summary>
    private static double Gamma(Random random, double shape)
    {
        double boost = Math.Pow(1 - random.NextDouble(), 1 / shape), d = shape + 1 - (1.0 / 3), c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            var v = Math.Pow(1 + (c * normal), 3);
            if (v > 0 && Math.Log(1 - random.NextDouble()) < (0.5 * normal * normal) + d - (d * v) + (d * Math.Log(v))) return d * v
                * boost;
        }
    }

    private static int Choose(Random random, double[] shares)
    {
        var left = random.NextDouble();
        for (var i = 0; i + 1 < shares.Length; i++)
        {
            left -= shares[i];
            if (left < 0) return i;
        }
        return shares.Length - 1;
    }
}

/// <param name="Seed">The same seed gives the same files, byte for byte.</param>
/// <param name="Clients">Number of clients.</param>
/// <param name="DrawsPerClient">Draws, with repeats, of a client's examples.</param>
/// <param name="HeldOutPerTask">Held-out examples of each task.</param>
/// <param name="Concentration">Dirichlet's α; the smaller, the less alike the clients.</param>
internal sealed record FederationDataOptions(
    int Seed, int Clients = 8, int DrawsPerClient = 160, int HeldOutPerTask = 70, double Concentration = 0.5);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Example))]
internal sealed partial class ExampleJson : JsonSerializerContext;
