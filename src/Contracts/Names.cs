using System.Text.RegularExpressions;

namespace FedKSeed.Contracts;

/// <summary>
/// What federations and clients may be called. Names become parts of queues, keys and files: 1 to 63 lower-case letters, digits and
/// hyphens, beginning with a letter or a digit.
/// </summary>
public static partial class Names
{
    public const string Pattern = @"\A[a-z0-9][a-z0-9-]{0,62}\z";

    /// <summary>What a sound name is, for a message that begins with one that is not.</summary>
    public const string Rule = "1 to 63 lower-case letters, digits and hyphens, not beginning with a hyphen";

    public static bool IsSound(string? name) => name is not null && Sound().IsMatch(name);

    /// <summary>Refuses a client's name that would not be safe to put into a queue's name or a key.</summary>
    /// <exception cref="FormatException">It is not <see cref="Rule"/>.</exception>
    public static void RequireClient(string client)
    {
        ArgumentNullException.ThrowIfNull(client);
        if (!IsSound(client))
            throw new FormatException($"'{client[..Math.Min(client.Length, 80)]}' is no name of a client: {Rule}.");
    }

    [GeneratedRegex(Pattern)]
    private static partial Regex Sound();
}
