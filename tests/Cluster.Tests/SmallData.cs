using FedKSeed.EndToEnd.Tests;
namespace FedKSeed.Cluster.Tests;

/// <summary>A few clients and a few held-out examples of the sample's, so that scoring takes no time.</summary>
internal static class SmallData
{
    public static string[] Arguments(string folder)
    {
        var data = Directory.CreateDirectory(Path.Combine(folder, "data")).FullName;
        foreach (var client in new[] { "client-1", "client-2", "client-3" })
            File.Copy(Path.Combine(Fedkseed.Samples, "data", client + ".jsonl"), Path.Combine(data, client + ".jsonl"), overwrite: true);
        File.WriteAllLines(
            Path.Combine(data, "held-out.jsonl"), File.ReadLines(Path.Combine(Fedkseed.Samples, "data", "held-out.jsonl")).Take(6));
        return ["--data", data, "--steps", "10", "--batch", "4", "--threads", "2"];
    }
}
