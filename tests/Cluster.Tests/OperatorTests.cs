using System.Text.Json;
using FedKSeed.EndToEnd.Tests;
using FedKSeed.Federation.Log;
using FedKSeed.LocalServers;
using FedKSeed.Tests;
using FedKSeed.Versions;

namespace FedKSeed.Cluster.Tests;

/// <summary>An operator's day with services that stand: every process is real, and all that is done is done by verbs.</summary>
public sealed class OperatorTests(Servers servers) : IDisposable
{
    private const string Name = "wards";

    private readonly TemporaryFolder _folder = new();
    private readonly List<ChildProcess> _services = [];

    [Fact]
    public async Task A_federation_is_opened_steered_watched_to_its_end_and_pulled_by_verbs_alone()
    {
        var place = servers.Of(nameof(OperatorTests));
        var address = new Uri($"http://127.0.0.1:{InstalledProgram.FreePorts(1)[0]}/");
        var (token, settings, pulled) = (At("ada.token"), At("federation.json"), At("pulled"));
        string[] server = ["--server", address.ToString(), "--token-file", token];
        await SayAsync("token", "new", "--redis", place.Redis, "--holder", "ada", "--role", "operator", "--to", token);
        var shared = new Dictionary<string, string?>
        {
            ["Bus:Transport"] = "RabbitMq",
            ["Bus:Broker"] = place.Broker.ToString(),
            ["Redis:Connection"] = place.Redis,
        };
        Start("seed-service", "FedKSeed.SeedService", shared);
        Start("round-service", "FedKSeed.RoundService", shared, address);
        await SayAsync(
            "new", Name, "--model", Path.Combine(Fedkseed.Samples, "model"), "--rounds", "6", "--steps", "3", "--batch", "4",
            "--evaluate-every", "3", "--output", settings);
        var opened = JsonDocument.Parse(Json(await UntilDoneAsync(["open", settings, "--json", .. server]))).RootElement;
        var (stranger, refused) = await Fedkseed.RunAsync("list", "--server", address.ToString());

        await SayAsync(["pause", Name, "--reason", "nobody is here yet", .. server]);
        await SayAsync(["exclude", Name, "client-2", "--reason", "odd losses", "--until", "3d", .. server]);
        await SayAsync(["resume", Name, .. server]);
        using var watch = Fedkseed.Start(["watch", Name, .. server]);
        StartWorker(place, opened.GetProperty("membership"));
        await watch.UntilAsync($"round 6/6: 1 of 1 reports");
        Assert.Equal(0, await watch.EndAsync());
        await SayAsync(["pull", Name, "--base", Path.Combine(Fedkseed.Samples, "model"), "--to", pulled, .. server]);
        await SayAsync(
            "replay", "--log", Path.Combine(pulled, "events.log"), "--base", Path.Combine(Fedkseed.Samples, "model"), "--to",
            At("replayed"));
        var shown = await SayAsync(["show", Name, .. server]);
        await SayAsync(["remove", Name, "--yes", .. server]);

        Assert.Equal(1, stranger);
        Assert.Contains("asks for a token", refused, StringComparison.Ordinal);
        Assert.Contains("Completed after 6 rounds and 6 reports in ", watch.Said, StringComparison.Ordinal);
        Assert.Contains("closed: Completed, version 6 of 6", shown, StringComparison.Ordinal);
        Assert.Matches("client-2 .* by ada until 20.*: odd losses", shown);
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(At("replayed"), "model.safetensors")),
            File.ReadAllBytes(Path.Combine(pulled, "model", "model.safetensors")));
        LogEvent[] events = [.. LogFile.Read(Path.Combine(pulled, "events.log")).Select(entry => entry.Event)];
        Assert.Equal("ada", Assert.IsType<FederationOpenedEntry>(events[0]).Actor);
        Assert.Equal(new FederationPausedEntry("ada", "nobody is here yet"), events.OfType<FederationPausedEntry>().Single());
        Assert.Equal("ada", events.OfType<FederationResumedEntry>().Single().Actor);
        var barred = events.OfType<ClientBarredEntry>().Single();
        Assert.Equal(("client-2", "odd losses", "ada"), (barred.Client, barred.Reason, barred.Actor));
        Assert.All(events.OfType<RoundStartedEntry>(), started => Assert.Equal(["client-1"], started.Participants));
        Assert.DoesNotContain(Name, await SayAsync(["list", .. server]), StringComparison.Ordinal);
    }

    public void Dispose()
    {
        foreach (var service in _services)
            service.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _folder.Dispose();
    }

    private string At(string name) => Path.Combine(_folder.Path, name);

    private void Start(string name, string program, Dictionary<string, string?> configuration, Uri? address = null) => _services.Add(
        ServiceProcess.Start(
            name, At("logs"), program, configuration, address ?? new Uri($"http://127.0.0.1:{InstalledProgram.FreePorts(1)[0]}/")));

    /// <summary>With what opening said, and the data of two clients of its own.</summary>
    private void StartWorker(Place place, JsonElement membership)
    {
        SmallData.Arguments(_folder.Path);
        var configuration = membership.EnumerateObject().ToDictionary(setting => setting.Name, setting => setting.Value.GetString());
        (configuration["Bus:Transport"], configuration["Bus:Broker"]) = ("RabbitMq", place.Broker.ToString());
        configuration["Worker:Heartbeat"] = "00:00:01";
        foreach (var at in new[] { 0, 1 })
        {
            configuration[$"Memberships:0:Clients:{at}:Name"] = $"client-{at + 1}";
            configuration[$"Memberships:0:Clients:{at}:Data"] = Path.Combine(At("data"), $"client-{at + 1}.jsonl");
        }
        configuration["Memberships:0:Evaluator:Data"] = Path.Combine(At("data"), "held-out.jsonl");
        configuration["Memberships:0:Evaluator:MaximumNewTokens"] = "4";
        Start("worker", "FedKSeed.ClientWorker", configuration);
    }

    private static Task<string> SayAsync(params string[] arguments) => DoneAsync(arguments, patience: TimeSpan.Zero);

    /// <summary>The services may still be starting.</summary>
    private static Task<string> UntilDoneAsync(string[] arguments) => DoneAsync(arguments, TimeSpan.FromSeconds(60));

    private static async Task<string> DoneAsync(string[] arguments, TimeSpan patience)
    {
        using var timeout = new CancellationTokenSource(patience + TimeSpan.FromMilliseconds(1));
        while (true)
        {
            var (code, said) = await Fedkseed.RunAsync(arguments);
            if (code == 0)
                return said;
            Assert.False(timeout.IsCancellationRequested, said);
            Assert.True(code == 1, said);
        }
    }

    private static string Json(string said) => said.Split('\n').Single(line => line.StartsWith('{'));
}
