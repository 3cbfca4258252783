using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;

namespace FedKSeed.Services.Tests;

/// <summary>
/// What Prometheus gets. Beside no other test: the SDK takes the instruments of all hosts of a process for one, and drops it with the first
/// host that ends.
/// </summary>
[CollectionDefinition(nameof(ApiMetricsTests), DisableParallelization = true), Collection(nameof(ApiMetricsTests))]
public class ApiMetricsTests(RedisServer redis)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_metric_that_the_dashboard_names_is_served()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-metrics");
        using var bob = await ApiTests.ClientAsync(services, "bob", TokenRole.Reader);
        // As Prometheus asks.
        bob.DefaultRequestHeaders.Add(
            "Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1");
        await services.Book.AppendAsync(
            (state, _) => FederationDecisions.Evaluate(state, new ModelEvaluatedEntry(0, 10, 2.5, 0, 0)), Cancel);
        var dashboard = await File.ReadAllTextAsync(Path.Combine(Root(), "deploy", "grafana", "fedkseed.json"), Cancel);
        string[] named = [.. Regex.Matches(dashboard, "fedkseed_[a-z_]+").Select(match => match.Value).Distinct()];
        Assert.True(named.Length >= 8, $"the dashboard names {string.Join(", ", named)}");

        string[] Samples(string metrics) => [.. metrics.Split('\n').Where(line => line.StartsWith("fedkseed_", StringComparison.Ordinal))];
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        string[] samples = [], missing = named;
        while (missing.Length > 0 && !patience.IsCancellationRequested)
        {
            await Task.Delay(200, Cancel);
            samples = Samples(await bob.GetStringAsync("/metrics", Cancel));
            missing = [.. named.Where(name => !samples.Any(line => line.StartsWith(name + "{", StringComparison.Ordinal)))];
        }
        Assert.True(missing.Length == 0, $"{string.Join(", ", missing)} not among{Environment.NewLine}{string.Join('\n', samples)}");
        Assert.Contains(samples, line => line.StartsWith("fedkseed_federation_loss{", StringComparison.Ordinal)
            && line.Contains("federation=\"api-metrics\"", StringComparison.Ordinal) && line.Contains(" 2.5", StringComparison.Ordinal));

        await services.Publish(new CloseFederation { Federation = "api-metrics", Reason = "Stopped", Actor = "alice" });
        while (samples.Any(line => line.StartsWith("fedkseed_federation_", StringComparison.Ordinal)))
        {
            await Task.Delay(200, patience.Token);
            samples = Samples(await bob.GetStringAsync("/metrics", Cancel));
        }
    }

    private static string Root([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "../.."));
}
