using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;
using FedKSeed.Tests;

namespace FedKSeed.Checkpoints.Tests;

/// <summary>Whatever a stranger's file holds, it opens as a whole checkpoint or fails with <see cref="CheckpointException"/>.</summary>
public partial class SafetensorsFuzzTests
{
    private const int Seed = 20261122;
    private const int Files = 100_000;

    // Every so many go through a file and the memory map; the others are parsed from memory.
    private const int FileStride = 50;

    // The whole file has a few hundred bytes: what parsing it takes is far below this, and a length taken on trust far above.
    private const long MaxAllocation = 256 << 10;

    private static readonly byte[] Whole = Safetensors(
        """{"__metadata__":{"format":"pt"},"model.a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}"""
            + ""","model.b":{"dtype":"BF16","shape":[5],"data_offsets":[24,34]}"""
            + ""","ids":{"dtype":"I64","shape":[1],"data_offsets":[34,42]},"empty":{"dtype":"F16","shape":[0],"data_offsets":[42,42]}}""",
        dataLength: 42);

    private static readonly string[] Numbers =
        ["-1", "0", "1", "3", "24", "42", "43", "2147483648", "4294967295", "4611686018427387904", "9223372036854775807",
         "9223372036854775808", "18446744073709551616", "1e3", "0.5", "null", "[]", "\"7\""];

    private static readonly string[] Words =
        ["F32", "F16", "BF16", "F64", "I64", "BOOL", "Q4", "", "dtype", "shape", "data_offsets", "__metadata__", "model.b", "ids",
         "\\ud800", "\\u0000", "../x"];

    private static readonly ulong[] Lengths = [0, 1, 2, 7, 99_999_999, 100_000_000, 100_000_001, 1UL << 31, 1UL << 62, 1UL << 63,
        ulong.MaxValue];

    [Fact]
    public void A_hundred_thousand_mutated_files_open_whole_or_fail_in_words()
    {
        var random = new Random(Seed);
        int opened = 0, refused = 0;
        using var folder = new CheckpointFolder();
        for (var i = 0; i < Files; i++)
        {
            var file = Mutated(random, i);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                if (i % FileStride == 0)
                    OpenFile(folder, file);
                else
                    OpenHeader(file);
                opened++;
            }
            catch (CheckpointException e)
            {
                Assert.NotEmpty(e.Message);
                refused++;
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"File {i}, {Convert.ToBase64String(file)}: {e}");
            }

            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated < MaxAllocation, $"File {i}, {Convert.ToBase64String(file)}: {allocated} bytes allocated.");
        }

        // Both happen often, or the mutations are not what they are meant to be.
        Assert.InRange(opened, Files / 50, Files);
        Assert.InRange(refused, Files / 2, Files);
    }

    [Fact]
    public void A_file_cut_anywhere_is_refused()
    {
        using var folder = new CheckpointFolder();
        for (var length = 0; length < Whole.Length; length++)
        {
            folder.WithBytes(Whole[..length]);
            var failure = Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path));
            Assert.Equal(folder.File(Checkpoint.SingleFile), failure.File);
            Assert.NotNull(failure.Field);
        }

        using var whole = Checkpoint.Open(folder.WithBytes(Whole).Path);
        Assert.Equal(4, whole.Tensors.Count);
    }

    [Fact]
    public void A_header_of_two_to_the_62_bytes_is_refused_before_memory_is_taken()
    {
        byte[] file = [.. BitConverter.GetBytes(1UL << 62), .. Whole[8..]];
        var before = GC.GetAllocatedBytesForCurrentThread();
        var failure = Assert.Throws<CheckpointException>(() => OpenHeader(file));
        Assert.Equal("header length", failure.Field);
        Assert.Contains("4611686018427387904", failure.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MaxAllocation);
    }

    private static void OpenHeader(byte[] file)
    {
        var header = SafetensorsHeader.Read("fuzzed.safetensors", new MemoryStream(file, writable: false));
        Assert.Equal(file.Length, header.Bytes.Length + header.DataLength);
        Assert.All(header.Entries, entry => Assert.InRange(entry.End, entry.Begin, header.DataLength));
    }

    private static void OpenFile(CheckpointFolder folder, byte[] file)
    {
        using var checkpoint = Checkpoint.Open(folder.WithBytes(file).Path);
        foreach (var tensor in checkpoint.Tensors)
        {
            Assert.Equal(tensor.ByteCount, tensor.Bytes(0, (int)tensor.ByteCount).Length);
            if (tensor.Ordinal is not null)
                Assert.Equal(tensor.ElementCount, tensor.ToArray().Length);
        }
    }

    private static byte[] Mutated(Random random, int i)
    {
        var file = Whole;
        for (var times = random.Next(1, 4); times > 0; times--)
        {
            file = (i % 9) switch
            {
                0 => WithBytes(random, file, 0, file.Length),
                1 => WithBytes(random, file, 0, Math.Min(8, file.Length)),
                2 => WithLength(random, file),
                3 => file[..random.Next(file.Length + 1)],
                4 => [.. file, .. new byte[random.Next(1, 64)]],
                5 => WithHeader(file, json => Replace(random, json, Number(), Numbers)),
                6 => WithHeader(file, json => Replace(random, json, Word(), [.. Words.Select(word => $"\"{word}\"")])),
                7 => WithHeader(file, json => Spliced(random, json)),
                _ => WithBytes(random, file, file.Length * 9 / 10, file.Length),
            };
        }

        return file;
    }

    private static byte[] WithBytes(Random random, byte[] file, int from, int to)
    {
        byte[] changed = [.. file];
        if (from < to)
            changed[random.Next(from, to)] = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)(changed[from] ^ (1 << random.Next(8)));
        return changed;
    }

    private static byte[] WithLength(Random random, byte[] file)
    {
        var length = random.Next(2) == 0 ? Lengths[random.Next(Lengths.Length)] : (ulong)random.NextInt64(2L * Whole.Length);
        return [.. BitConverter.GetBytes(length), .. file.Skip(8)];
    }

    // The length before the header stays right, so that what is in it is looked at.
    private static byte[] WithHeader(byte[] file, Func<string, string> change)
    {
        var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        var header = Encoding.UTF8.GetBytes(change(Encoding.UTF8.GetString(file, 8, length)));
        return [.. BitConverter.GetBytes((ulong)header.Length), .. header, .. file[(8 + length)..]];
    }

    private static string Replace(Random random, string json, Regex pattern, string[] values)
    {
        var matches = pattern.Matches(json);
        if (matches.Count == 0)
            return json;
        var match = matches[random.Next(matches.Count)];
        return string.Concat(json.AsSpan(0, match.Index), values[random.Next(values.Length)], json.AsSpan(match.Index + match.Length));
    }

    // A piece of it left out, doubled, or moved elsewhere.
    private static string Spliced(Random random, string json)
    {
        int from = random.Next(json.Length + 1), to = random.Next(from, Math.Min(json.Length, from + 80) + 1),
            at = random.Next(json.Length + 1);
        var rest = random.Next(2) == 0 ? json : json.Remove(from, to - from);
        return random.Next(2) == 0 ? rest : rest.Insert(Math.Min(at, rest.Length), json[from..to]);
    }

    private static byte[] Safetensors(string header, int dataLength) =>
        [.. BitConverter.GetBytes((ulong)Encoding.UTF8.GetByteCount(header)), .. Encoding.UTF8.GetBytes(header), .. new byte[dataLength]];

    [GeneratedRegex(@"\d+(?=[,\]])")]
    private static partial Regex Number();

    [GeneratedRegex("\"[^\"]*\"")]
    private static partial Regex Word();
}
