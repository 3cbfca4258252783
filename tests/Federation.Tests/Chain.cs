using System.Security.Cryptography;
using System.Text;

namespace FedKSeed.Federation.Tests;

/// <summary>What a forger can do: write any entries, and hash them into a chain that holds.</summary>
internal static class Chain
{
    /// <summary>A line without its hash: what is hashed.</summary>
    public static string ContentOf(string line) => line[..line.LastIndexOf(",\"hash\"", StringComparison.Ordinal)];

    /// <summary>Contents as lines whose hashes follow from one another.</summary>
    public static List<string> Rehash(IEnumerable<string> contents)
    {
        var lines = new List<string>();
        var hash = new string('0', 64);
        foreach (var content in contents)
        {
            hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(hash + content)));
            lines.Add($"{content},\"hash\":\"{hash}\"}}");
        }
        return lines;
    }
}
