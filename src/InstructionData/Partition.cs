using FedKSeed.Perturbation.Directions;

namespace FedKSeed.InstructionData;

public enum PartitionBy
{
    /// <summary>The records of each kind are shared out in proportions drawn from a symmetric Dirichlet distribution.</summary>
    Dirichlet,

    /// <summary>All records of a kind go to one client.</summary>
    File,

    /// <summary>Shuffled and dealt out one by one, whatever their kind.</summary>
    Even,
}

/// <summary>Who gets which record of a data set: a pure function of the kinds of its records and of these settings.</summary>
/// <param name="Clients">Number of clients. By file there may be no more than kinds; of more kinds, that many are drawn.</param>
/// <param name="Alpha">Concentration of the Dirichlet distribution, more than 0.</param>
/// <param name="HeldOut">Share of the records of each kind that nobody gets, 0 to less than 1.</param>
public sealed record Partition(PartitionBy By, int Clients, double Alpha, double HeldOut, ulong Seed)
{
    /// <summary>The owner of a record that is held out.</summary>
    public const int Nobody = -1;

    /// <summary>The owner of a record that is left out altogether: of a file that was not drawn.</summary>
    public const int LeftOut = -2;

    /// <param name="kinds">The kind of each record: a field's value, or its file.</param>
    /// <returns>The client of each record, from 0; <see cref="Nobody"/>; or <see cref="LeftOut"/>.</returns>
    /// <exception cref="ArgumentException">By file, there are more clients than kinds.</exception>
    public int[] Owners(IReadOnlyList<string> kinds)
    {
        ArgumentNullException.ThrowIfNull(kinds);
        var owners = new int[kinds.Count];
        var groups = Groups(kinds);
        var drawn = By == PartitionBy.File ? DrawnClients(groups.Length) : [];
        for (var group = 0; group < groups.Length; group++)
        {
            // Each group has a stream of its own; stream 0 is the one that draws files.
            PhiloxSequence random = new(Seed, (ulong)group + 1);
            var records = groups[group];
            if (By == PartitionBy.File && drawn[group] == LeftOut)
            {
                Assign(records, LeftOut);
                continue;
            }
            random.Shuffle(records.AsSpan());
            var heldOut = (int)Math.Round(records.Length * HeldOut, MidpointRounding.AwayFromZero);
            Assign(records.AsSpan(0, heldOut), Nobody);
            var rest = records.AsSpan(heldOut);
            if (By == PartitionBy.File)
            {
                Assign(rest, drawn[group]);
                continue;
            }
            var shares = By == PartitionBy.Even ? [.. Enumerable.Repeat(1.0 / Clients, Clients)] : random.Dirichlet(Clients, Alpha);
            var counts = Apportion(rest.Length, shares);
            for (var client = 0; client < Clients; client++)
            {
                Assign(rest[..counts[client]], client);
                rest = rest[counts[client]..];
            }
        }
        return owners;

        void Assign(ReadOnlySpan<int> records, int owner)
        {
            foreach (var record in records)
                owners[record] = owner;
        }
    }

    /// <summary>
    /// Whole numbers that add up to <paramref name="total"/>, each within 1 of its share: the largest remainders get what is left.
    /// </summary>
    internal static int[] Apportion(int total, IReadOnlyList<double> shares)
    {
        int[] counts = [.. shares.Select(share => (int)Math.Floor(share * total))];
        int[] byRemainder = [.. Enumerable.Range(0, counts.Length).OrderByDescending(i => shares[i] * total - counts[i]).ThenBy(i => i)];
        var left = total - counts.Sum();
        for (var i = 0; i < left; i++)
            counts[byRemainder[i % counts.Length]]++;
        return counts;
    }

    private int[][] Groups(IReadOnlyList<string> kinds)
    {
        int[] all = [.. Enumerable.Range(0, kinds.Count)];
        if (By == PartitionBy.Even)
            return [all];
        return [.. all.GroupBy(i => kinds[i], StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => group.ToArray())];
    }

    /// <summary>The client of each file, in the order of the files.</summary>
    private int[] DrawnClients(int files)
    {
        if (Clients > files)
            throw new ArgumentException($"There are {files} files for {Clients} clients.");
        int[] order = [.. Enumerable.Range(0, files)];
        new PhiloxSequence(Seed, 0).Shuffle(order.AsSpan());
        var clients = new int[files];
        Array.Fill(clients, LeftOut);
        foreach ((var file, var client) in order.Take(Clients).Order().Select((file, client) => (file, client)))
            clients[file] = client;
        return clients;
    }
}
