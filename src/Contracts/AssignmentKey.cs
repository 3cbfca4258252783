using System.Globalization;
using System.Text.Json.Serialization;

namespace FedKSeed.Contracts;

/// <summary>An assignment is known by its round, its client and, in a continuous federation, its turn.</summary>
/// <param name="Turn">How many assignments of this round the client got before it.</param>
public readonly record struct AssignmentKey(
    int Round, string Client, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Turn = 0)
    : IComparable<AssignmentKey>
{
    public int CompareTo(AssignmentKey other) =>
        Round != other.Round ? Round.CompareTo(other.Round)
        : string.CompareOrdinal(Client, other.Client) is var order and not 0 ? order
        : Turn.CompareTo(other.Turn);

    /// <summary>The client's next one in this round.</summary>
    [JsonIgnore]
    public AssignmentKey Next => this with { Turn = Turn + 1 };

    /// <exception cref="FormatException">It is not what <see cref="ToString"/> gives.</exception>
    public static AssignmentKey Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = text.Split('/');
        return new AssignmentKey(
            int.Parse(parts[0], CultureInfo.InvariantCulture), parts[1],
            parts.Length > 2 ? int.Parse(parts[2], CultureInfo.InvariantCulture) : 0);
    }

    /// <summary>Names of clients have no slash.</summary>
    public override string ToString() =>
        Turn == 0 ?
            string.Create(CultureInfo.InvariantCulture, $"{Round}/{Client}") :
            string.Create(CultureInfo.InvariantCulture, $"{Round}/{Client}/{Turn}");
}
