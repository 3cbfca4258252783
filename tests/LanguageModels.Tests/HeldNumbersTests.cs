using FedKSeed.LanguageModels.Devices;
using TorchSharp;

namespace FedKSeed.LanguageModels.Tests;

/// <summary>torch's own <c>a.add_(b)</c> fails here within a second: "Expected false to be true".</summary>
public class HeldNumbersTests
{
    private static readonly Dictionary<string, Func<torch.Tensor, torch.Tensor, torch.Tensor>> Sums = new()
    {
        ["x ← x + y"] = (x, y) => x.Add(y),
        ["x ← x + 1"] = (x, _) => x.Add(1),
        ["x + y"] = (x, y) =>
        {
            using var sum = x.Plus(y);
            return x.copy_(sum);
        },
    };

    [Theory]
    [InlineData("x ← x + y")]
    [InlineData("x ← x + 1")]
    [InlineData("x + y")]
    public async Task Collections_in_the_middle_of_a_sum_change_nothing(string name)
    {
        const int exact = 1 << 24; // of whole numbers in float32
        var cancellation = TestContext.Current.CancellationToken;
        using CancellationTokenSource end = new(TimeSpan.FromSeconds(1.5));
        var adding = Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            using torch.Tensor x = torch.zeros(1), y = torch.ones(1);
            for (var expected = 1; !end.IsCancellationRequested && expected < exact; expected++)
            {
                Sums[name](x, y);
                Assert.Equal(expected, x.item<float>());
            }
        }, cancellation));
        var collecting = Task.Run(() =>
        {
            while (!end.IsCancellationRequested)
                GC.Collect(0);
        }, cancellation);
        await Task.WhenAll([.. adding, collecting]);
    }
}
