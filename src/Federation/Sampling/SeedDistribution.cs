using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using FedKSeed.Contracts;

namespace FedKSeed.Federation.Sampling;

/// <summary>
/// From which an assignment's seeds are drawn, with replacement (SPEC 7). A draw is a function of (pool key, round, client, weights) and
/// nothing else, in integers: anyone with the log can check that an assignment was drawn as promised.
/// </summary>
public sealed class SeedDistribution
{
    private readonly ulong[] _cumulative;

    /// <param name="weights">One for each seed, not all 0, that add up to less than 2⁶³.</param>
    public SeedDistribution(ReadOnlySpan<ulong> weights)
    {
        _cumulative = new ulong[weights.Length];
        ulong sum = 0;
        for (var seed = 0; seed < weights.Length; seed++)
            _cumulative[seed] = sum += weights[seed];
    }

    public static SeedDistribution Uniform(int seedCount)
    {
        var weights = new ulong[seedCount];
        Array.Fill(weights, 1UL);
        return new SeedDistribution(weights);
    }

    /// <summary>Probability that one draw gives this seed; all of them add up to 1.</summary>
    public double ProbabilityOf(int seed) =>
        (_cumulative[seed] - (seed == 0 ? 0 : _cumulative[seed - 1])) / (double)_cumulative[^1];

    /// <summary>The seeds of an assignment, with repetition: they follow from the pool key and the assignment alone.</summary>
    public ushort[] Draw(ulong poolKey, AssignmentKey assignment, int count)
    {
        var seeds = new ushort[count];
        Span<byte> block = stackalloc byte[SHA256.HashSizeInBytes];
        var message = Message(poolKey, assignment);
        const int WordsPerBlock = SHA256.HashSizeInBytes / sizeof(ulong);
        for (var step = 0; step < count; step++)
        {
            if (step % WordsPerBlock == 0)
            {
                BinaryPrimitives.WriteInt32LittleEndian(message, step / WordsPerBlock);
                SHA256.HashData(message, block);
            }
            var word = BinaryPrimitives.ReadUInt64LittleEndian(block[(step % WordsPerBlock * sizeof(ulong))..]);
            seeds[step] = SeedAt(Math.BigMul(word, _cumulative[^1], out _));
        }
        return seeds;
    }

    /// <summary>
    /// What a block of draws hashes: block number, pool key, round (little-endian), then a name for the purpose and the client, and its
    /// turn if it is not its first in the round.
    /// </summary>
    private static byte[] Message(ulong poolKey, AssignmentKey assignment)
    {
        var turn = assignment.Turn == 0 ? "" : "/" + assignment.Turn.ToString(CultureInfo.InvariantCulture);
        var text = Encoding.UTF8.GetBytes("fedkseed/assignment/1:" + assignment.Client + turn);
        var message = new byte[16 + text.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(message.AsSpan(4), poolKey);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(12), assignment.Round);
        text.CopyTo(message, 16);
        return message;
    }

    /// <summary>The seed whose stretch of [0, total) holds the point.</summary>
    private ushort SeedAt(ulong point)
    {
        var at = Array.BinarySearch(_cumulative, point);
        // A point equal to a cumulative weight belongs to the next seed with a weight.
        if (at < 0)
            return (ushort)~at;
        while (_cumulative[at] == point)
            at++;
        return (ushort)at;
    }
}
