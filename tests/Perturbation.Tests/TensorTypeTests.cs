using System.Runtime.InteropServices;
using CsCheck;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Tests;

public class TensorTypeTests
{
    [Theory]
    [InlineData(0x3F80_8000, 0x3F80)] // a tie: down to the even neighbour
    [InlineData(0x3F81_8000, 0x3F82)] // a tie: up to the even neighbour
    [InlineData(0x3F80_8001, 0x3F81)]
    [InlineData(0x3F80_7FFF, 0x3F80)]
    [InlineData(0x7F7F_FFFF, 0x7F80)] // past the largest: infinity
    [InlineData(0xFF80_0000, 0xFF80)]
    [InlineData(0x7F80_0001, 0x7FC0)] // a NaN stays one
    [InlineData(0x0000_8000, 0x0000)] // subnormal ties
    [InlineData(0x0001_8000, 0x0002)]
    [InlineData(0x8000_0000, 0x8000)]
    public void BF16_rounds_to_nearest_even(uint value, int expected)
    {
        float[] values = [.. Enumerable.Repeat(BitConverter.UInt32BitsToSingle(value), 71)]; // whole vectors of any width, and a rest
        var elements = new ushort[values.Length];
        TensorType.BF16.Narrow(values, MemoryMarshal.AsBytes(elements.AsSpan()));
        Assert.All(elements, element => Assert.Equal((ushort)expected, element));
    }

    [Theory]
    [InlineData(1 + 1f / 2048, 0x3C00)] // a tie: down to the even neighbour
    [InlineData(1 + 3f / 2048, 0x3C02)] // a tie: up to the even neighbour
    [InlineData(65519f, 0x7BFF)]
    [InlineData(65520f, 0x7C00)]
    [InlineData(2.9802322387695312e-08f, 0x0000)] // half of the least subnormal: a tie
    [InlineData(8.940696716308594e-08f, 0x0002)]
    public void F16_rounds_to_nearest_even(float value, int expected)
    {
        var element = new byte[2];
        TensorType.F16.Narrow([value], element);
        Assert.Equal((ushort)expected, BitConverter.ToUInt16(element));
    }

    [Fact]
    public void Narrowing_what_was_widened_changes_nothing() => Gen.Select(Gen.Bool, Gen.UShort).Sample((half, bits) =>
    {
        var type = half ? TensorType.F16 : TensorType.BF16;
        byte[] element = BitConverter.GetBytes(bits), back = new byte[2];
        var value = new float[1];
        type.Widen(element, value);
        type.Narrow(value, back);
        return float.IsNaN(value[0]) || element.AsSpan().SequenceEqual(back);
    });

    [Fact]
    public void Every_BF16_value_widens_to_its_bits_and_back()
    {
        ushort[] elements = [.. Enumerable.Range(0, 1 << 16).Select(bits => (ushort)bits), 7];
        var values = new float[elements.Length];
        var back = new ushort[elements.Length];
        TensorType.BF16.Widen(MemoryMarshal.AsBytes(elements.AsSpan()), values);
        TensorType.BF16.Narrow(values, MemoryMarshal.AsBytes(back.AsSpan()));
        for (var i = 0; i < elements.Length; i++)
        {
            Assert.Equal((uint)elements[i] << 16, BitConverter.SingleToUInt32Bits(values[i]));
            Assert.Equal(float.IsNaN(values[i]) ? elements[i] | 0x40 : elements[i], back[i]);
        }
    }

    [Fact]
    public void Rounding_happens_once_in_float32_and_once_in_the_type()
    {
        // 1 − 2⁻⁹ − 2⁻³² rounds to the tie 1 − 2⁻⁹ in float32, and from there to 1 in BF16; rounded at once it would be 1 − 2⁻⁸.
        var pool = new DirectionSpace { PoolKey = 3, SeedCount = 1 };
        var sign = (int)pool.Direction(0, 0).Value(0);
        var rebuilder = new Rebuilder(pool, [sign * ((1 << 23) + 1)], 8);
        var element = MemoryMarshal.AsBytes<ushort>([0x3F80]).ToArray();
        rebuilder.Rebuild(0, 0, TensorType.BF16, element, element);
        Assert.Equal(0x3F80, BitConverter.ToUInt16(element));
    }
}
