using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Adapters;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;

namespace FedKSeed.Versions.Tests;

public class AdapterVersionTests
{
    /// <summary>
    /// With A as it is, B·A is linear in the accumulators: a commit gives the average of the clients' models, not the product of averages.
    /// </summary>
    [Fact]
    public void A_commit_of_LoRA_with_A_frozen_is_the_average_of_the_clients_models()
    {
        using var source = Checkpoint.Open(Vectors.Path("models", "llama-gqa-untied"));
        var space = new DirectionSpace { SeedCount = 16, Adapter = new() { Kind = AdapterKind.Lora, Rank = 4 } }.Resolve(source);
        WeightedReport[] reports = [Report(1, 40), Report(2, 7), Report(3, 1500)];
        var committed = ProductOf(space, source, Accumulators.Commit(new long[16], reports));
        var clients = reports.Select(
            report => ProductOf(space, source, Accumulators.Commit(new long[16], [report]))).ToArray();
        var total = reports.Sum(report => (double)report.Weight);
        Assert.Contains(committed, value => Math.Abs(value) > 1e-3);
        for (var i = 0; i < committed.Length; i++)
        {
            var average = clients.Zip(reports).Sum(pair => pair.First[i] * pair.Second.Weight) / total;
            // Each accumulator is rounded to 2⁻⁴⁰ once, B to float32.
            Assert.Equal(average, committed[i], 1e-6 * Math.Max(1, Math.Abs(average)));
        }
    }

    private static WeightedReport Report(int client, int examples)
    {
        var random = new Random(client);
        ushort[] seeds = [.. Enumerable.Range(0, 10).Select(_ => (ushort)random.Next(16))];
        long[] contributions = [.. seeds.Select(_ => Accumulators.Contribution(0.01, random.NextSingle() * 10 - 5))];
        return new WeightedReport(Accumulators.Weight(examples, 0), seeds, contributions);
    }

    /// <summary>(α/r)·B·A of the first adapted layer.</summary>
    private static double[] ProductOf(DirectionSpace space, Checkpoint source, ReadOnlyMemory<long> accumulators)
    {
        var quantised = QuantisedAccumulators.Of(accumulators.Span, space.LargestRank);
        var content = AdapterContent.Rebuilt(
            space.Adapter!, space.Adapted(source), new Rebuilder(space, quantised.Values.Span, quantised.Shift));
        var (a, b) = (content.Tensors[0], content.Tensors[1]);
        float[] Values(TensorContent tensor)
        {
            var values = new float[tensor.Bytes.Length / sizeof(float)];
            tensor.Type.Widen(tensor.Bytes.Span, values);
            return values;
        }
        var (rows, columns, rank) = ((int)b.Shape[0], (int)a.Shape[1], (int)a.Shape[0]);
        var (left, right) = (Values(b), Values(a));
        return [.. Enumerable.Range(0, rows * columns).Select(at => Enumerable.Range(0, rank).Sum(
            rho => 4.0 * left[at / columns * rank + rho] * right[rho * columns + at % columns]))];
    }
}
