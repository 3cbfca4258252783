using System.Text.Json;

namespace FedKSeed.EndToEnd.Tests;

/// <summary>libtorch from a folder that is not the program's, in a process of its own: one process uses one libtorch.</summary>
public sealed class InstalledTorchTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-tests-").FullName;

    [Fact]
    public async Task The_libtorch_of_another_folder_computes_what_ours_does()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "An installed PyTorch can be used on Linux only.");
        // Links to ours: a build with a libtorch of its own refuses any other, and one without has none to compare with.
        foreach (var file in Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native"), "*.so*"))
            File.CreateSymbolicLink(Path.Combine(_folder, Path.GetFileName(file)), file);

        var (code, said) = await Fedkseed.RunAsync("doctor", "--torch", _folder, "--json");
        Assert.Equal(0, code);
        var found = JsonDocument.Parse(said).RootElement.EnumerateArray()
            .Single(finding => finding.GetProperty("name").GetString() == "libtorch").GetProperty("found").GetString();
        Assert.EndsWith($"of {_folder}", found, StringComparison.Ordinal);

        string[] evaluate =
        [
            "evaluate", "--model", Path.Combine(Fedkseed.Samples, "model"),
            "--data", Path.Combine(Fedkseed.Samples, "data", "held-out.jsonl"),
            "--prompt", Path.Combine(Fedkseed.Samples, "prompt.json"), "--limit", "4", "--max-new-tokens", "2", "--threads", "1", "--json",
        ];
        Assert.Equal(await LossAsync(evaluate, libtorch: null), await LossAsync(evaluate, _folder));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static async Task<double> LossAsync(string[] arguments, string? libtorch)
    {
        var (code, said) = await Fedkseed.RunAsync(arguments, libtorch is null ? [] : [("FEDKSEED_LIBTORCH", libtorch)]);
        Assert.True(code == 0, said);
        return JsonDocument.Parse(said.Split('\n').Single(line => line.StartsWith('{'))).RootElement.GetProperty("loss").GetDouble();
    }
}
