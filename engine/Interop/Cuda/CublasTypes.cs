namespace Spk.Interop.Cuda;

/// <summary>cuBLAS's state for one context (cublasHandle_t).</summary>
/// <param name="Value">The library's handle.</param>
public readonly record struct CublasHandle(nint Value);

/// <summary>A column-major matrix in device memory.</summary>
/// <param name="Address">Its first element.</param>
/// <param name="LeadingDimension">Elements from column to column.</param>
/// <param name="Type">Its element type.</param>
/// <param name="Stride">Elements from matrix to matrix in a batch.</param>
public readonly record struct CublasMatrix(nint Address, int LeadingDimension, CublasType Type = CublasType.Float32, long Stride = 0);

/// <summary>Element types (cudaDataType_t); values are the library's numbers.</summary>
public enum CublasType
{
    /// <summary>f32.</summary>
    Float32 = 0,

    /// <summary>f16.</summary>
    Float16 = 2,

    /// <summary>bf16.</summary>
    BFloat16 = 14,
}

/// <summary>How products are computed (cublasComputeType_t); sums are in f32; values are the library's numbers.</summary>
public enum CublasCompute
{
    /// <summary>As the element types and the math mode say.</summary>
    Float32 = 68,

    /// <summary>f32 inputs are rounded to tf32.</summary>
    Float32FastTf32 = 77,
}

/// <summary>How f32 products are computed (cublasMath_t); values are the library's numbers.</summary>
public enum CublasMath
{
    /// <summary>In f32.</summary>
    Default = 0,

    /// <summary>On tensor cores with inputs rounded to tf32.</summary>
    Tf32TensorOp = 3,
}
