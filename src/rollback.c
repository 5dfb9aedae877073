/*
 * rollback.c
 *		Is a share really above a threshold, or above another share? The lower bounds of the Wilson score interval and
 *		of the two-proportion z-test.
 *
 * Pure machines: counts in, a bound out. A bound lies below what was seen by as much as chance may have
 * added to it, so a guard that compares the bound and not the share does not act on a handful of unlucky samples.
 */
#include "compat.h"

#include <math.h>

static void check_counts(int64 k, int64 n, const char *prefix);
static void check_confidence(double confidence);
static double normal_quantile(double p);
static double ratio_of_polynomials(const double *above, const double *below, double x);

PG_FUNCTION_INFO_V1(er_wilson_lower_bound);
PG_FUNCTION_INFO_V1(er_difference_lower_bound);

/*
 * wilson_lower_bound(k, n, confidence): one-sided; Wilson 1927, in the form
 *
 *		(p + z^2/2n - z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
 *
 * where p = k/n and z is the quantile of the normal distribution at the confidence. Confidence 0 asks for p itself.
 */
Datum
er_wilson_lower_bound(PG_FUNCTION_ARGS)
{
	int64		k = PG_GETARG_INT64(0);
	int64		n = PG_GETARG_INT64(1);
	double		confidence = PG_GETARG_FLOAT8(2);
	double		p;
	double		z;
	double		bound;

	check_counts(k, n, "");
	check_confidence(confidence);
	if (n == 0)
		PG_RETURN_NULL();

	p = (double) k / (double) n;
	if (confidence == 0)
		PG_RETURN_FLOAT8(p);
	z = normal_quantile(confidence);
	bound = (p + z * z / (2.0 * n) - z * sqrt(p * (1 - p) / n + z * z / (4.0 * n * n))) / (1 + z * z / n);
	PG_RETURN_FLOAT8(bound < 0 || k == 0 ? 0 : bound);
}

/*
 * difference_lower_bound(k, n, base_k, base_n, confidence): the difference of the shares less what chance may have added to
 * it, by the two-proportion z-test with the pooled share p, one-sided:
 *
 *		k/n - base_k/base_n - z sqrt(p(1-p) (1/n + 1/base_n)),		p = (k + base_k) / (n + base_n)
 *
 * It exceeds a margin exactly when the test rejects that the shares differ by no more than the margin.
 */
Datum
er_difference_lower_bound(PG_FUNCTION_ARGS)
{
	int64		k = PG_GETARG_INT64(0);
	int64		n = PG_GETARG_INT64(1);
	int64		base_k = PG_GETARG_INT64(2);
	int64		base_n = PG_GETARG_INT64(3);
	double		confidence = PG_GETARG_FLOAT8(4);
	double		difference;
	double		p;

	check_counts(k, n, "");
	check_counts(base_k, base_n, "base_");
	check_confidence(confidence);
	if (n == 0 || base_n == 0)
		PG_RETURN_NULL();

	difference = (double) k / (double) n - (double) base_k / (double) base_n;
	if (confidence == 0)
		PG_RETURN_FLOAT8(difference);
	p = ((double) k + (double) base_k) / ((double) n + (double) base_n);
	PG_RETURN_FLOAT8(difference - normal_quantile(confidence) * sqrt(p * (1 - p) * (1.0 / n + 1.0 / base_n)));
}

static void
check_counts(int64 k, int64 n, const char *prefix)
{
	if (n < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%sn is %lld", prefix, (long long) n),
				 errdetail("A number of samples is 0 or more.")));
	if (k < 0 || k > n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%sk is %lld", prefix, (long long) k),
				 errdetail("Of %lld samples 0 to %lld can have failed.", (long long) n, (long long) n)));
}

static void
check_confidence(double confidence)
{
	if (!(confidence == 0 || (confidence >= 0.5 && confidence < 1)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("confidence is %g", confidence),
				 errdetail("It is at least 0.5 and below 1, or 0 for the share as it was seen.")));
}

/*
 * The quantile of the normal distribution, to about 1 part in 10^16: algorithm AS 241, PPND16 (Wichura 1988). 0 < p < 1.
 */
static double
normal_quantile(double p)
{
	static const double middle_above[] = {
		3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
		4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3
	};
	static const double middle_below[] = {
		1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
		2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3
	};
	static const double side_above[] = {
		1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
		1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4
	};
	static const double side_below[] = {
		1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
		1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9
	};
	static const double tail_above[] = {
		6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
		2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7
	};
	static const double tail_below[] = {
		1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
		7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15
	};
	double		q = p - 0.5;
	double		r;
	double		z;

	if (fabs(q) <= 0.425)
		return q * ratio_of_polynomials(middle_above, middle_below, 0.180625 - q * q);
	r = sqrt(-log(q < 0 ? p : 1 - p));
	if (r <= 5)
		z = ratio_of_polynomials(side_above, side_below, r - 1.6);
	else
		z = ratio_of_polynomials(tail_above, tail_below, r - 5);
	return q < 0 ? -z : z;
}

/* Both of degree 7, coefficients from the lowest power up. */
static double
ratio_of_polynomials(const double *above, const double *below, double x)
{
	double		a = above[7];
	double		b = below[7];

	for (int i = 6; i >= 0; i--)
	{
		a = a * x + above[i];
		b = b * x + below[i];
	}
	return a / b;
}
