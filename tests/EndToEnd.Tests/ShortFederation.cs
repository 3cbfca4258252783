using System.Text.Json;

namespace FedKSeed.EndToEnd.Tests;

/// <summary>
/// A short federation on the sample, run twice with the same settings: once without a break, once terminated, resumed, killed and resumed
/// again. Both are run once for all tests.
/// </summary>
public sealed class ShortFederation : IAsyncLifetime
{
    public const int Rounds = 8;

    private static readonly string[] Settings =
    [
        "--rounds", $"{Rounds}", "--evaluate-every", "4", "--evaluation-limit", "16", "--sampling", "importance", "--synchronous",
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-end-to-end-").FullName;

    /// <summary>The folder of the run without a break.</summary>
    public string Whole => Path.Combine(_folder, "whole");

    /// <summary>The folder of the run with breaks.</summary>
    public string Broken => Path.Combine(_folder, "broken");

    /// <summary>What the whole run printed as JSON.</summary>
    public JsonElement Summary { get; private set; }

    /// <summary>Exit code and words of the part that was terminated.</summary>
    public (int ExitCode, string Said) Terminated { get; private set; }

    public (int ExitCode, string Said) Resumed { get; private set; }

    public string NewFolder(string name) => Path.Combine(_folder, name);

    public async ValueTask InitializeAsync()
    {
        var whole = await Fedkseed.RunAsync(["run", "--output", Whole, "--json", .. Settings]);
        Assert.True(whole.ExitCode == 0, whole.Said);
        Summary = JsonDocument.Parse(whole.Said.Split('\n').Single(line => line.StartsWith('{'))).RootElement;

        using (var first = Fedkseed.Start(["run", "--output", Broken, .. Settings]))
        {
            await first.UntilAsync("round 2/");
            first.Terminate();
            Terminated = (await first.EndAsync(), first.Said);
        }
        using (var second = Fedkseed.Start("run", "--resume", Broken))
        {
            await second.UntilAsync("round 5/");
            second.Kill();
            await second.EndAsync();
        }
        // What a process leaves that dies while it writes.
        await File.AppendAllTextAsync(Path.Combine(Broken, "events.log"), "{\"sequence\":");
        Resumed = await Fedkseed.RunAsync("run", "--resume", Broken);
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }
}
